using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kubernetes.Events;
using Microsoft.Extensions.Logging;

namespace Ebpf.Cni.Kubernetes;

/// <summary>
/// Reports issues of objects to their users as Kubernetes Events: `kubectl describe` and `kubectl get events`. Best effort, never blocking:
/// reporting does not wait, the queue is short, equal issues are posted once an hour, and what cannot be posted is counted and forgotten.
/// </summary>
public sealed partial class IssueEvents
{
    /// <summary>source.component and reportingComponent of the events.</summary>
    public const string Component = "ebpf-cni";

    // The API refuses more, in bytes of UTF-8 and in characters of a name.
    private const int LongestMessage = 1024;
    private const int LongestName = 253;
    private static readonly TimeSpan PostLimit = TimeSpan.FromSeconds(10);
    private readonly HttpClient _http;
    private readonly string _node;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly RecentIssues _recent;
    private readonly TokenBucket _rate;
    private readonly Lock _gate = new();
    private readonly Channel<CompileIssue> _queue = Channel.CreateBounded<CompileIssue>(
        new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    private long _posted;
    private long _dropped;

    /// <param name="connection">The API server.</param>
    /// <param name="nodeName">The reporting instance: every node reports for itself.</param>
    /// <param name="log">Failures at debug level.</param>
    /// <param name="time">The clock; null: the system's.</param>
    public IssueEvents(KubernetesConnection connection, string nodeName, ILogger<IssueEvents> log, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        _http = connection.Http;
        _node = nodeName;
        _log = log;
        _time = time ?? TimeProvider.System;
        _recent = new RecentIssues(4096, TimeSpan.FromHours(1), _time);
        _rate = new TokenBucket(25, TimeSpan.FromSeconds(5), _time);
    }

    /// <summary>Events the API server took.</summary>
    public long Posted => Interlocked.Read(ref _posted);

    /// <summary>Events given up: over the rate, queue full, API gone or unwilling.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>
    /// Queues what is new among the issues; one that lasts is to be reported again
    /// now and then, and is posted again after an hour. Never blocks, never throws.
    /// </summary>
    public void Report(IEnumerable<CompileIssue> issues)
    {
        ArgumentNullException.ThrowIfNull(issues);
        lock (_gate)
            foreach (var issue in issues)
                if (_recent.IsNews(issue) && !(_rate.TryTake() && _queue.Writer.TryWrite(issue)))
                    Interlocked.Increment(ref _dropped);
    }

    /// <summary>Posts until cancelled, and returns then.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            await foreach (var issue in _queue.Reader.ReadAllAsync(ct).ConfigureAwait(false))
                await PostAsync(issue, ct).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
    }

    private async Task PostAsync(CompileIssue issue, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(PostLimit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            var wire = Describe(issue);
            using var body = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(wire, EventJson.Default.EventWire));
            body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await _http
                .PostAsync(new Uri($"api/v1/namespaces/{Uri.EscapeDataString(wire.Metadata.Namespace)}/events", UriKind.Relative), body,
                    either.Token)
                .ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
            {
                Interlocked.Increment(ref _posted);
                return;
            }

            Log.Dropped(_log, issue.Kind, issue.Name.ToString(), $"HTTP {(int)response.StatusCode}");
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            Log.Dropped(_log, issue.Kind, issue.Name.ToString(), e.Message);
        }

        Interlocked.Increment(ref _dropped);
    }

    private EventWire Describe(CompileIssue issue)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(_time.GetUtcNow().ToUnixTimeSeconds()); // metav1.Time has whole seconds
        // Events live in a namespace; those of cluster-scoped objects in "default", as those of other components do.
        var space = issue.Name.Namespace.Length > 0 ? issue.Name.Namespace : "default";
        var suffix = string.Create(CultureInfo.InvariantCulture, $".{Random.Shared.NextInt64():x16}");
        var unique = issue.Name.Name[..Math.Min(issue.Name.Name.Length, LongestName - suffix.Length)] + suffix;
        return new EventWire(
            "v1",
            "Event",
            new EventMetaWire(unique, space),
            new InvolvedObjectWire(
                issue.Kind == "EndpointSlice" ? "discovery.k8s.io/v1" : "v1",
                issue.Kind,
                issue.Name.Namespace.Length > 0 ? issue.Name.Namespace : null,
                issue.Name.Name,
                issue.Uid.Length > 0 ? issue.Uid : null),
            issue.Reason,
            Shorten(issue.Message),
            "Warning",
            new EventSourceWire(Component, _node),
            Component,
            _node,
            now,
            now,
            1);
    }

    private static string Shorten(string message)
    {
        if (Encoding.UTF8.GetByteCount(message) <= LongestMessage)
            return message;
        var end = Math.Min(message.Length, LongestMessage);
        while (Encoding.UTF8.GetByteCount(message.AsSpan(0, end)) > LongestMessage - 3)
            end--;
        return message[..end] + "...";
    }

    private static partial class Log
    {
        [LoggerMessage(4020, LogLevel.Debug, "Kubernetes event for {Kind} {Name} dropped: {Cause}")]
        public static partial void Dropped(ILogger logger, string kind, string name, string cause);
    }
}

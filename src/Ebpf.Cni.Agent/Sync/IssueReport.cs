using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kubernetes;

namespace Ebpf.Cni.Agent.Sync;

/// <summary>Tells what cannot be served: a log line when it is new and when it is over, a gauge while it lasts, an event for the object.</summary>
public sealed partial class IssueReport(IssueEvents events, SyncMetrics metrics, ILogger<IssueReport> log)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, IReadOnlyCollection<CompileIssue>> _bySource = [];
    private HashSet<CompileIssue> _known = [];

    /// <summary>All that is known now, by object.</summary>
    public IReadOnlyList<CompileIssue> Current
    {
        get
        {
            lock (_lock)
                return [.. _known.OrderBy(i => i.Kind, StringComparer.Ordinal).ThenBy(i => i.Name).ThenBy(i => i.Reason, StringComparer.Ordinal)];
        }
    }

    /// <param name="source">Who looks; each knows only its own.</param>
    /// <param name="issues">All that it finds now.</param>
    public void Report(string source, IReadOnlyCollection<CompileIssue> issues)
    {
        lock (_lock)
        {
            _bySource[source] = issues;
            Tell([.. _bySource.Values.SelectMany(i => i)]);
        }
    }

    private void Tell(HashSet<CompileIssue> now)
    {
        foreach (var issue in now)
            if (!_known.Contains(issue))
                Log.Appeared(log, issue.Kind, issue.Name.ToString(), issue.Reason, issue.Message);
        foreach (var issue in _known)
            if (!now.Contains(issue))
                Log.Over(log, issue.Kind, issue.Name.ToString(), issue.Reason);
        _known = now;
        metrics.Issues(now);
        events.Report(now);
    }

    private static partial class Log
    {
        [LoggerMessage(3321, LogLevel.Warning, "{Kind} {Name}: {Reason}: {Message}")]
        public static partial void Appeared(ILogger log, string kind, string name, string reason, string message);

        [LoggerMessage(3322, LogLevel.Information, "{Kind} {Name}: {Reason} is over")]
        public static partial void Over(ILogger log, string kind, string name, string reason);
    }
}

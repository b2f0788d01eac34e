using System.Globalization;
using System.Text.Json;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Sync.State;
using Prometheus;

namespace Ebpf.Cni.Agent.Health;

/// <summary>
/// What the agent answers over HTTP: /metrics, /conntrack and /proxyMode at one address; /healthz, /livez (kube-proxy's rule) and /readyz
/// at the other. Each path answers only at its own.
/// </summary>
public sealed class HttpEndpoints
{
    private readonly CollectorRegistry _registry;
    private readonly SyncStatus _status;
    private readonly AgentOptions _options;
    private readonly TimeProvider _time;
    private readonly ConntrackEndpoint _conntrack;
    private readonly Counter _healthz, _livez;

    public HttpEndpoints(CollectorRegistry registry, SyncStatus status, ConntrackEndpoint conntrack, AgentOptions options,
        TimeProvider time)
    {
        (_registry, _status, _conntrack, _options, _time) = (registry, status, conntrack, options, time);
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        _healthz = factory.CreateCounter("kubeproxy_proxy_healthz_total", "Responses of /healthz, by status code.", ["code"]);
        _livez = factory.CreateCounter("kubeproxy_proxy_livez_total", "Responses of /livez, by status code.", ["code"]);
    }

    public Task HandleAsync(HttpContext context)
    {
        var atHealth = context.Connection.LocalPort == _options.HealthzAddress.Port;
        var request = context.Request;
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
            return RefuseAsync(context, StatusCodes.Status405MethodNotAllowed);
        return (atHealth, request.Path.Value) switch
        {
            (true, "/healthz") => ProxyHealthAsync(context, _healthz, eligibility: _status.NodeEligible),
            (true, "/livez") => ProxyHealthAsync(context, _livez, eligibility: null),
            (true, "/readyz") => ReadyAsync(context),
            (false, "/metrics") => MetricsAsync(context),
            (false, "/proxyMode") => context.Response.WriteAsync("ebpf", context.RequestAborted), // kube-proxy names its own there
            (false, "/conntrack") => _conntrack.HandleAsync(context),
            _ => RefuseAsync(context, StatusCodes.Status404NotFound),
        };
    }

    /// <summary>
    /// kube-proxy's answers (pkg/proxy/healthcheck/proxy_health.go). Load balancers of Cluster policy Services ask /healthz: it fails while
    /// the node is being deleted (KEP-3836), so that they send it nothing new. That is no reason to restart the agent: /livez does not know
    /// of it.
    /// </summary>
    private async Task ProxyHealthAsync(HttpContext context, Counter counter, bool? eligibility)
    {
        var good = _status.Healthy && eligibility != false;
        var now = _time.GetUtcNow();
        Answer(context, good);
        counter.WithLabels(context.Response.StatusCode.ToString(CultureInfo.InvariantCulture)).Inc();
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        // Everything that was heard of is in the kernel: it is as new as can be, whenever it was written.
        writer.WriteString("lastUpdated", good ? now : _status.LastApplied ?? default);
        writer.WriteString("currentTime", now);
        if (eligibility is { } eligible)
            writer.WriteBoolean("nodeEligible", eligible);
        writer.WriteEndObject();
    }

    private async Task ReadyAsync(HttpContext context)
    {
        Answer(context, _status.Ready && _status.Healthy);
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteBoolean("synced", _status.FirstSync.IsCompleted);
        writer.WriteBoolean("servingCni", _status.CniServing.IsCompleted);
        writer.WriteBoolean("healthy", _status.Healthy);
        writer.WriteEndObject();
    }

    private static void Answer(HttpContext context, bool good)
    {
        context.Response.StatusCode = good ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "application/json";
        context.Response.Headers.XContentTypeOptions = "nosniff";
    }

    private async Task MetricsAsync(HttpContext context)
    {
        context.Response.ContentType = PrometheusConstants.TextContentTypeWithVersionAndEncoding;
        await _registry.CollectAndExportAsTextAsync(context.Response.Body, context.RequestAborted);
    }

    private static Task RefuseAsync(HttpContext context, int code)
    {
        context.Response.StatusCode = code;
        return Task.CompletedTask;
    }
}

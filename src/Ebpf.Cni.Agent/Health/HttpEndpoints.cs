using System.Globalization;
using System.Text.Json;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Agent.Sync;
using Prometheus;

namespace Ebpf.Cni.Agent.Health;

/// <summary>
/// What the agent answers over HTTP: /metrics at one address; /healthz, /livez (kube-proxy's rule) and /readyz at the other. Each path
/// answers only at its own.
/// </summary>
public sealed class HttpEndpoints
{
    private readonly CollectorRegistry _registry;
    private readonly SyncStatus _status;
    private readonly AgentOptions _options;
    private readonly TimeProvider _time;
    private readonly Counter _healthz, _livez;

    public HttpEndpoints(CollectorRegistry registry, SyncStatus status, AgentOptions options, TimeProvider time)
    {
        (_registry, _status, _options, _time) = (registry, status, options, time);
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        _healthz = factory.CreateCounter("kubeproxy_proxy_healthz_total", "Answers of /healthz by status code.", ["code"]);
        _livez = factory.CreateCounter("kubeproxy_proxy_livez_total", "Answers of /livez by status code.", ["code"]);
    }

    public Task HandleAsync(HttpContext context)
    {
        var atHealth = context.Connection.LocalPort == _options.HealthzAddress.Port;
        var request = context.Request;
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
            return RefuseAsync(context, StatusCodes.Status405MethodNotAllowed);
        return (atHealth, request.Path.Value) switch
        {
            (true, "/healthz") => HealthAsync(context, _status.Healthy, _healthz),
            (true, "/livez") => HealthAsync(context, _status.Healthy, _livez),
            (true, "/readyz") => HealthAsync(context, _status.Ready && _status.Healthy, null),
            (false, "/metrics") => MetricsAsync(context),
            _ => RefuseAsync(context, StatusCodes.Status404NotFound),
        };
    }

    private async Task HealthAsync(HttpContext context, bool good, Counter? counter)
    {
        var response = context.Response;
        response.StatusCode = good ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        response.ContentType = "application/json";
        response.Headers.XContentTypeOptions = "nosniff";
        counter?.WithLabels(response.StatusCode.ToString(CultureInfo.InvariantCulture)).Inc();
        await using var writer = new Utf8JsonWriter(response.BodyWriter);
        writer.WriteStartObject();
        if (_status.LastApplied is { } applied)
            writer.WriteString("lastUpdated", applied);
        writer.WriteString("currentTime", _time.GetUtcNow());
        writer.WriteBoolean("synced", _status.FirstSync.IsCompleted);
        writer.WriteBoolean("servingCni", _status.CniServing.IsCompleted);
        writer.WriteBoolean("healthy", _status.Healthy);
        writer.WriteEndObject();
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

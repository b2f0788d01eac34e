using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>
/// The nodes over HTTP, beside the API: GET /sandbox/nodes/NODE/metrics, POST /sandbox/nodes/NODE/agent/{kill, stop, start}.
/// </summary>
internal sealed class NodeEndpoint(Func<string, SandboxNode?> find)
{
    private const string Root = "/sandbox/nodes";

    public static string MetricsPath(string node) => $"{Root}/{node}/metrics";

    public static string AgentPath(string node, string action) => $"{Root}/{node}/agent/{action}";

    /// <returns>False for a path that is not one of these.</returns>
    public async Task<bool> AnswerAsync(HttpContext context)
    {
        if (!context.Request.Path.StartsWithSegments(Root, out var rest))
            return false;
        var parts = rest.Value?.Split('/', StringSplitOptions.RemoveEmptyEntries) ?? [];
        if (parts.Length < 2)
            return false;
        var node = find(parts[0]) ?? throw ApiException.NotFound(ResourceTypes.Nodes, parts[0]);
        switch (context.Request.Method, parts[1..])
        {
            case ("GET", ["metrics"]):
                await MetricsAsync(context, node);
                return true;
            case ("POST", ["agent", "kill"]):
                await node.KillAgentAsync();
                break;
            case ("POST", ["agent", "stop"]):
                await node.StopAgentAsync();
                break;
            case ("POST", ["agent", "start"]):
                await StartAsync(node, context.RequestAborted);
                break;
            default:
                return false;
        }
        await context.Response.WriteAsync("{}", context.RequestAborted);
        return true;
    }

    private static async Task MetricsAsync(HttpContext context, SandboxNode node)
    {
        try
        {
            var text = await node.MetricsAsync(context.RequestAborted);
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            await context.Response.WriteAsync(text, context.RequestAborted);
        }
        catch (HttpRequestException e)
        {
            throw new ApiException(502, "BadGateway", $"the agent of {node.Name} does not answer: {e.Message}");
        }
    }

    private static async Task StartAsync(SandboxNode node, CancellationToken ct)
    {
        try
        {
            await node.StartAgentAsync();
            await node.WaitAgentReadyAsync(ct);
        }
        catch (InvalidOperationException e)
        {
            throw new ApiException(409, "Conflict", e.Message);
        }
    }
}

using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.EndToEnd.Tests.Chaining;

/// <summary>
/// A pod that no kubelet knows: a list of plugins ran for it one after the other, as a runtime does. Disposing runs them the other way
/// round.
/// </summary>
internal sealed class HandMadePod : IAsyncDisposable
{
    private readonly SandboxCluster _cluster;
    private readonly SandboxNode _node;
    private readonly IReadOnlyList<JsonObject> _plugins;
    private readonly TestNamespace _namespace;
    private readonly string _id = Guid.NewGuid().ToString("N");
    private readonly CancellationTokenSource _stop = new();
    private Task? _server;
    private JsonObject? _result;

    private HandMadePod(SandboxCluster cluster, SandboxNode node, IReadOnlyList<JsonObject> plugins)
    {
        (_cluster, _node, _plugins) = (cluster, node, plugins);
        _namespace = new TestNamespace(node);
    }

    /// <summary>Of the IPv4 interface.</summary>
    public string Address => _result!["ips"]!.AsArray()
        .Select(ip => ip!["address"]!.GetValue<string>().Split('/')[0])
        .First(ip => ServiceCluster.FamilyOf(ip) == "IPv4");

    /// <param name="plugins">Each with the list's cniVersion and name, and what the runtime adds.</param>
    public static async Task<HandMadePod> Make(SandboxCluster cluster, SandboxNode node, IReadOnlyList<JsonObject> plugins)
    {
        var pod = new HandMadePod(cluster, node, plugins);
        try
        {
            foreach (var plugin in plugins)
                pod._result = JsonNode.Parse(await pod.Plugin("ADD", plugin))!.AsObject();
        }
        catch
        {
            await pod.DisposeAsync();
            throw;
        }

        return pod;
    }

    public Task<ExecResult> RunAsync(params string[] command) => RunAsync(command, CancellationToken.None);

    /// <summary>programs/server.py, until the pod goes.</summary>
    public void Serve(string name, int port) =>
        _server = RunAsync(ServiceCluster.Program("server.py", name, _node.Name, $"{port}"), _stop.Token);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_server is not null)
            await _server.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            foreach (var plugin in _plugins.Reverse())
                await Plugin("DEL", plugin);
        }
        finally
        {
            _namespace.Dispose();
            _stop.Dispose();
        }
    }

    private Task<ExecResult> RunAsync(string[] command, CancellationToken ct) =>
        _cluster.ExecOnNodeAsync(_node.Name, ["nsenter", $"--net={_namespace.Path}", .. command], "", ct);

    private async Task<string> Plugin(string verb, JsonObject plugin)
    {
        var input = plugin.DeepClone().AsObject();
        if (_result is not null)
            input["prevResult"] = _result.DeepClone();
        var type = plugin["type"]!.GetValue<string>();
        string[] program =
        [
            "env", $"CNI_COMMAND={verb}", $"CNI_CONTAINERID={_id}", $"CNI_NETNS={_namespace.Path}", "CNI_IFNAME=eth0", "CNI_ARGS=",
            $"CNI_PATH={_node.Directories.CniBinaries}",
            Path.Combine(_node.Directories.CniBinaries, type),
        ];
        var ran = await _cluster.ExecOnNodeAsync(_node.Name, program, input.ToJsonString());
        Assert.True(ran.ExitCode == 0, $"{verb} of {type}: {ran.Output} {ran.Errors}");
        return ran.Output;
    }
}

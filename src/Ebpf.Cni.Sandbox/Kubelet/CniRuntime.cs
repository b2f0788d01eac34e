using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>A plugin failed. The message is the plugin's own.</summary>
internal sealed class CniPluginException(string plugin, string message) : Exception($"plugin {plugin}: {message}");

/// <summary>One attachment of a pod, as the plugin is told of it.</summary>
/// <param name="Id">CNI_CONTAINERID: another one for each try.</param>
internal sealed record CniAttachment(string Id, string NamespacePath, string PodNamespace, string PodName, string PodUid)
{
    /// <summary>What the runtime offers to plugins that can use it, by capability.</summary>
    public JsonObject RuntimeConfig { get; init; } = [];

    public const string Interface = "eth0";

    public string Arguments =>
        $"IgnoreUnknown=1;K8S_POD_NAMESPACE={PodNamespace};K8S_POD_NAME={PodName};K8S_POD_INFRA_CONTAINER_ID={Id};K8S_POD_UID={PodUid}";
}

/// <summary>Runs CNI plugins as a container runtime does, in the node's namespaces.</summary>
internal sealed class CniRuntime(NodeMounts mounts, NetworkNamespace node, string cgroup)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Runs the list's plugins in order. Returns the last one's result.</summary>
    /// <exception cref="CniPluginException">A plugin failed; nothing is undone.</exception>
    public async Task<JsonObject> AddAsync(CniConfiguration list, CniAttachment attachment, CancellationToken ct)
    {
        JsonObject? result = null;
        foreach (var plugin in list.Plugins)
            result = await RunAsync("ADD", list, plugin, attachment, result, ct)
                ?? throw new CniPluginException(plugin.Text("type")!, "printed no result");
        return result!;
    }

    /// <summary>Runs the list's plugins in reverse order.</summary>
    public async Task DeleteAsync(CniConfiguration list, CniAttachment attachment, JsonObject? result, CancellationToken ct)
    {
        foreach (var plugin in list.Plugins.Reverse())
            await RunAsync("DEL", list, plugin, attachment, result, ct);
    }

    /// <summary>The pod's addresses, without their prefix lengths, in the result's order.</summary>
    public static IReadOnlyList<IPAddress> AddressesOf(JsonObject result) =>
        [.. result.Items("ips").Select(ip => ip.Text("address")).OfType<string>().Select(text => IPAddress.Parse(text.Split('/')[0]))];

    private async Task<JsonObject?> RunAsync(
        string command, CniConfiguration list, JsonObject plugin, CniAttachment attachment, JsonObject? previous, CancellationToken ct)
    {
        var type = plugin.Text("type")!;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        over.CancelAfter(Patience);
        try
        {
            var plan = new ProcessPlan(node, cgroup, [Path.Combine(NodeMounts.CniBinaries, type)])
            {
                Mounts = mounts.Path,
                Environment = EnvironmentOf(command, attachment),
            };
            var ran = await NodeProcess.RunAsync(plan, list.InputOf(plugin, previous, attachment.RuntimeConfig), over.Token);
            var answer = Parse(type, ran);
            return ran.ExitCode == 0 ? answer : throw new CniPluginException(type, Describe(answer, ran));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new CniPluginException(type, $"{command} did not end within {Patience.TotalSeconds:0} s");
        }
    }

    private static Dictionary<string, string> EnvironmentOf(string command, CniAttachment attachment) => new()
    {
        ["PATH"] = ContainerEnvironment.DefaultPath,
        ["CNI_COMMAND"] = command,
        ["CNI_CONTAINERID"] = attachment.Id,
        ["CNI_NETNS"] = attachment.NamespacePath,
        ["CNI_IFNAME"] = CniAttachment.Interface,
        ["CNI_ARGS"] = attachment.Arguments,
        ["CNI_PATH"] = NodeMounts.CniBinaries,
    };

    private static JsonObject? Parse(string type, ExecResult ran)
    {
        if (string.IsNullOrWhiteSpace(ran.Output))
            return null;
        try
        {
            return JsonNode.Parse(ran.Output) as JsonObject;
        }
        catch (JsonException e)
        {
            throw new CniPluginException(type, $"exit code {ran.ExitCode}, and printed no JSON: {e.Message}");
        }
    }

    private static string Describe(JsonObject? error, ExecResult ran) => error.Text("msg") is { } message
        ? $"code {error.Number("code")}: {message} {error.Text("details")}".TrimEnd()
        : $"exit code {ran.ExitCode}: {ran.Errors.Trim()}";
}

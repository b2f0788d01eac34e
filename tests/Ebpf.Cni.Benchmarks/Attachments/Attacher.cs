using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Cluster;

namespace Ebpf.Cni.Benchmarks.Attachments;

/// <summary>A way to give a pod its network, and to take it away again.</summary>
internal abstract class Attacher(string name)
{
    protected const string Interface = "eth0";

    public string Name { get; } = name;

    /// <summary>ADD or DEL for one pod, from beginning to end.</summary>
    /// <returns>Null, or what was said instead of a success.</returns>
    public abstract Task<string?> RunAsync(string command, int pod, string containerId);

    /// <summary>What containerd sets besides the names of the specification.</summary>
    protected static string Arguments(int pod, string containerId) =>
        $"IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=pod-{pod};K8S_POD_INFRA_CONTAINER_ID={containerId};K8S_POD_UID=uid-{pod}";

    /// <summary>
    /// The installed configuration as a plugin is given it, with the socket's place on this machine instead of that on the node.
    /// </summary>
    protected static JsonObject Installed(SandboxNode node)
    {
        var list = JsonNode.Parse(File.ReadAllText(Directory.GetFiles(node.Directories.CniConfiguration, "*.conflist").Single()))!;
        var plugin = (JsonObject)list["plugins"]![0]!.DeepClone();
        plugin.Remove("capabilities");
        plugin["name"] = list["name"]!.DeepClone();
        plugin["cniVersion"] = list["cniVersion"]!.DeepClone();
        plugin["agentSocket"] = Path.Combine(node.Directories.Run, "cni.sock");
        return plugin;
    }
}

/// <summary>Asks the agent as the plugin does, without the process that the plugin is: the agent's own time.</summary>
internal sealed class AgentAttacher(string name, SandboxNode node) : Attacher(name)
{
    private readonly JsonObject _config = Installed(node);

    public override async Task<string?> RunAsync(string command, int pod, string containerId)
    {
        var request = new JsonObject
        {
            ["command"] = command,
            ["containerId"] = containerId,
            ["netns"] = AttachmentNamespaces.PathOf(pod),
            ["ifname"] = Interface,
            ["args"] = Arguments(pod, containerId),
            ["path"] = node.Directories.CniBinaries,
            ["config"] = _config.DeepClone(),
        };
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_config["agentSocket"]!.GetValue<string>()));
        await socket.SendAsync(Encoding.UTF8.GetBytes(request.ToJsonString()));
        socket.Shutdown(SocketShutdown.Send);
        var answer = new byte[16384];
        var length = 0;
        for (int got; (got = await socket.ReceiveAsync(answer.AsMemory(length))) > 0; length += got)
        {
        }
        return JsonNode.Parse(answer.AsSpan(0, length))!["error"] is { } error ? error.ToJsonString() : null;
    }
}

/// <summary>
/// Runs a plugin as a container runtime does: a process in the node's namespace, the configuration on its standard input.
/// </summary>
internal sealed class PluginAttacher(string name, NetworkNamespace node, string directory, JsonObject config) : Attacher(name)
{
    private readonly string _config = config.ToJsonString();

    public static PluginAttacher Ours(string name, SandboxNode node) =>
        new(name, node.Namespace, node.Directories.CniBinaries, Installed(node));

    public override async Task<string?> RunAsync(string command, int pod, string containerId)
    {
        var start = new ProcessStartInfo(Path.Combine(directory, config["type"]!.GetValue<string>()))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
        start.Environment["CNI_COMMAND"] = command;
        start.Environment["CNI_CONTAINERID"] = containerId;
        start.Environment["CNI_NETNS"] = AttachmentNamespaces.PathOf(pod);
        start.Environment["CNI_IFNAME"] = Interface;
        start.Environment["CNI_ARGS"] = Arguments(pod, containerId);
        start.Environment["CNI_PATH"] = directory;
        using var process = node.Run(() => Process.Start(start))!;
        await process.StandardInput.WriteAsync(_config);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? null : $"exit code {process.ExitCode}: {(await output).Trim()} {errors.Trim()}";
    }
}

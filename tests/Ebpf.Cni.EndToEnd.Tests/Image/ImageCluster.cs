using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Runtime;
using Ebpf.Cni.EndToEnd.Tests.Runtime.Cri;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Image;

/// <summary>
/// A node whose agent is not the sandbox's process but the image, run by containerd as the chart says, with a service account's token over
/// TLS. The rest of the cluster, and the node's containerd, are <see cref="RuntimeCluster"/>'s; the agent in the container takes over what
/// the process left.
/// </summary>
public sealed class ImageCluster : IAsyncLifetime
{
    private const string ImageName = "ebpf-cni.test/ebpf-cni:1";
    private readonly string _scratch = Directory.CreateTempSubdirectory("ecni-image-").FullName;
    private string _sandbox = "";
    private FirstProcess? _first;
    private PodSandboxConfig? _pod;
    private InstalledPod? _installed;

    internal RuntimeCluster Runtime { get; } = new();

    internal InstalledPod Pod => _installed!;

    internal FirstProcess First => _first!;

    public async ValueTask InitializeAsync()
    {
        await Runtime.InitializeAsync();
        if (!Runtime.IsRunning)
            return;
        var archive = Path.Combine(_scratch, "image.tar");
        OciArchive.Write(archive, ImageName, RootFileSystem.Layer(), ["/opt/ebpf-cni/ebpf-cni-agent"]);
        await Runtime.Containerd.ImportAsync(archive, ImageName);
        _first = new FirstProcess();
        // What the node has somewhere else than the manifest says: containerd sees the machine's cgroups below /sys, and what is there is
        // not shared with containers.
        var places = new Dictionary<string, string>
        {
            ["/proc"] = Path.Combine(_scratch, "proc"),
            ["/sys/fs/bpf"] = await BindAsync(NodeMounts.Bpffs, "bpf"),
            ["/sys/fs/cgroup"] = await BindAsync(NodeMounts.Cgroups, "cgroup"),
        };
        await BindAsync(First.Proc, "proc/1");
        _installed = new InstalledPod(ImageName, places, Path.Combine(_scratch, "volumes"));
        _pod = Runtime.Config("ebpf-cni");
        _pod.Hostname = "";
        _pod.LogDirectory = Path.Combine(_scratch, "logs");
        _pod.Linux.SecurityContext.NamespaceOptions.Network = NamespaceMode.Node;
        Directory.CreateDirectory(_pod.LogDirectory);
        await Runtime.Node.StopAgentAsync();
        _sandbox = await Runtime.Cri.RunAsync(_pod);
    }

    public async ValueTask DisposeAsync()
    {
        if (_sandbox.Length > 0)
        {
            await Runtime.Cri.StopAsync(_sandbox);
            await Runtime.Cri.RemoveAsync(_sandbox);
        }

        await Runtime.DisposeAsync();
        _first?.Dispose();
        // what was bound here was so on the node only, which is gone
        Directory.Delete(_scratch, recursive: true);
    }

    /// <summary>Starts a container of the pod.</summary>
    /// <param name="name">prepare, agent.</param>
    /// <param name="without">A mount or a capability that is left out.</param>
    internal async Task<string> StartAsync(string name, string? without = null)
    {
        var node = Runtime.Node;
        // As a kubelet tells every container, and what is different from a real node: its cgroups are a part of the machine's.
        var environment = new Dictionary<string, string>
        {
            ["EBPF_CNI_NODE_NAME"] = node.Name,
            ["EBPF_CNI_CGROUP_ROOT"] = "/host/sys/fs/cgroup",
            ["KUBERNETES_SERVICE_HOST"] = "127.0.0.1",
            ["KUBERNETES_SERVICE_PORT"] = $"{SandboxCluster.NodeSecureApiPort}",
        };
        var config = Pod.Container(name, environment, without);
        // by the name that every program knows it by, although the image has a link there
        config.Mounts.Add(new Mount { ContainerPath = "/var/run/secrets/kubernetes.io/serviceaccount", HostPath = ServiceAccount(),
            Readonly = true });
        return await Runtime.Cri.StartContainerAsync(_sandbox, _pod!, config);
    }

    /// <summary>Waits until the container ends, and removes it.</summary>
    /// <returns>Its exit code, and what it said.</returns>
    internal async Task<(int Code, string Log)> EndAsync(string id, string name)
    {
        await Eventually.True(async () => (await Runtime.Cri.ContainerStatusAsync(id)).Status.State == ContainerState.ContainerExited,
            $"{name} ends: {Log(name)}");
        var code = (await Runtime.Cri.ContainerStatusAsync(id)).Status.ExitCode;
        var log = Log(name);
        await Runtime.Cri.RemoveContainerAsync(id);
        File.Delete(LogFile(name));
        return (code, log);
    }

    /// <summary>What the container said, without what the runtime puts before each line.</summary>
    internal string Log(string name) =>
        File.Exists(LogFile(name)) ? string.Join(
            '\n', File.ReadLines(LogFile(name)).Select(l => l.Split(' ', 4)).Where(f => f.Length == 4).Select(f => f[3])) : "";

    /// <summary>The container's first process, by its number on the node.</summary>
    internal async Task<int> ProcessAsync(string id) =>
        JsonNode.Parse((await Runtime.Cri.ContainerStatusAsync(id, verbose: true)).Info["info"])!["pid"]!.GetValue<int>();

    internal Task<bool> IsReadyAsync() => Task.Run(() => Runtime.Node.Namespace.Run(() =>
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", 10256);
            client.GetStream().Write("GET /readyz HTTP/1.0\r\n\r\n"u8);
            using var reader = new StreamReader(client.GetStream());
            return reader.ReadLine()?.Contains(" 200 ", StringComparison.Ordinal) == true;
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }));

    private string LogFile(string name) => Path.Combine(_pod!.LogDirectory, $"{name}.log");

    /// <summary>What the sandbox has written for the agent that it ran itself.</summary>
    private string ServiceAccount() => Path.GetDirectoryName(
        Directory.EnumerateFiles(Path.Combine(Runtime.Node.Directories.Root, "pods"), "token", SearchOption.AllDirectories).First())!;

    /// <summary>Shows a directory of the node at another place too, where its containers may see what is mounted later.</summary>
    private async Task<string> BindAsync(string directory, string name)
    {
        var at = Path.Combine(_scratch, name);
        Directory.CreateDirectory(at);
        using var mount = Process.Start("nsenter",
            [$"--mount={Runtime.Node.Mounts.Path}", "--", "sh", "-c", "mount --rbind \"$1\" \"$2\" && mount --make-rshared \"$2\"", "sh",
            directory, at]);
        await mount.WaitForExitAsync();
        return mount.ExitCode == 0 ? at : throw new InvalidOperationException($"{directory} cannot be bound to {at} on the node");
    }
}

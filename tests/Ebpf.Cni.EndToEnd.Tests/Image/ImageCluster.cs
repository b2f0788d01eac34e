using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Runtime;
using Ebpf.Cni.EndToEnd.Tests.Runtime.Cri;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Image;

/// <summary>
/// A node whose agent is not the sandbox's process but the image, run by containerd as the chart says. The rest of the cluster, and the node's containerd,
/// are <see cref="RuntimeCluster"/>'s; the agent in the container takes over what the process left.
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
        // A node's mounts are shared where systemd is its first process; what a container is to see of later ones must be.
        var node = Runtime.Node.Directories;
        _first = new FirstProcess();
        await SharedAsync(First.Proc, Path.Combine(_scratch, "proc", "1"));
        var places = new Dictionary<string, string>
        {
            ["/proc"] = Path.Combine(_scratch, "proc"),
            ["/sys/fs/bpf"] = await SharedAsync("/sys/fs/bpf", Path.Combine(_scratch, "bpf")),
            ["/sys/fs/cgroup"] = await SharedAsync(Runtime.Node.CgroupPath, Path.Combine(_scratch, "cgroup")),
            ["/run/netns"] = await SharedAsync("/run/netns", Path.Combine(_scratch, "netns")),
            ["/run/ebpf-cni"] = await SharedAsync(node.Run, Path.Combine(_scratch, "run")),
            ["/var/lib/ebpf-cni"] = node.State,
            ["/etc/cni/net.d"] = node.CniConfiguration,
            ["/opt/cni/bin"] = node.CniBinaries,
        };
        await SharedAsync(Runtime.Containerd.NamespaceDirectory, Runtime.Containerd.NamespaceDirectory);
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

        await Mounts.RemoveBelowAsync(_scratch);
        _first?.Dispose();
        await Runtime.DisposeAsync();
        // not before the mounts are known to be gone: below them is what others use
        if (!File.ReadAllText("/proc/self/mountinfo").Contains(_scratch, StringComparison.Ordinal))
            Directory.Delete(_scratch, recursive: true);
    }

    /// <summary>Starts a container of the pod.</summary>
    /// <param name="name">prepare, agent.</param>
    /// <param name="without">A mount or a capability that is left out.</param>
    internal async Task<string> StartAsync(string name, string? without = null)
    {
        var node = Runtime.Node;
        // What one machine's nodes cannot share: two nodes' pins and sockets have two names. The plugin, which runs on the node, must find the socket by the name
        // that the agent knows it by, and the agent the namespaces by those that containerd has for them: in /run/netns are those of the sandbox's own pods.
        var environment = new Dictionary<string, string>
        {
            ["EBPF_CNI_NODE_NAME"] = node.Name,
            ["EBPF_CNI_KUBECONFIG"] = "/etc/kubeconfig",
            ["EBPF_CNI_BPFFS_ROOT"] = node.BpffsRoot,
            ["EBPF_CNI_CGROUP_ROOT"] = "/host/sys/fs/cgroup",
            ["EBPF_CNI_RUN_DIR"] = node.Directories.Run,
        };
        var config = Pod.Container(name, environment, without);
        foreach (var mount in config.Mounts.ToList())
            if (mount.ContainerPath == "/run/ebpf-cni")
                mount.ContainerPath = node.Directories.Run;
            else if (mount.ContainerPath == "/run/netns")
                config.Mounts.Add(new Mount { ContainerPath = Runtime.Containerd.NamespaceDirectory, HostPath = Runtime.Containerd.NamespaceDirectory, Propagation = mount.Propagation });
        config.Mounts.Add(new Mount { ContainerPath = "/etc/kubeconfig", HostPath = node.Directories.Kubeconfig, Readonly = true });
        return await Runtime.Cri.StartContainerAsync(_sandbox, _pod!, config);
    }

    /// <summary>Waits until the container ends, and removes it.</summary>
    /// <returns>Its exit code, and what it said.</returns>
    internal async Task<(int Code, string Log)> EndAsync(string id, string name)
    {
        await Eventually.True(async () => (await Runtime.Cri.ContainerStatusAsync(id)).Status.State == ContainerState.ContainerExited, $"{name} ends: {Log(name)}");
        var code = (await Runtime.Cri.ContainerStatusAsync(id)).Status.ExitCode;
        var log = Log(name);
        await Runtime.Cri.RemoveContainerAsync(id);
        File.Delete(LogFile(name));
        return (code, log);
    }

    /// <summary>What the container said, without what the runtime puts before each line.</summary>
    internal string Log(string name) =>
        File.Exists(LogFile(name)) ? string.Join('\n', File.ReadLines(LogFile(name)).Select(l => l.Split(' ', 4)).Where(f => f.Length == 4).Select(f => f[3])) : "";

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

    private static async Task<string> SharedAsync(string directory, string at)
    {
        Directory.CreateDirectory(at);
        foreach (var arguments in (string[][])[["--rbind", directory, at], ["--make-rshared", at]])
        {
            using var mount = Process.Start("mount", arguments);
            await mount.WaitForExitAsync();
            if (mount.ExitCode != 0)
                throw new InvalidOperationException($"mount {string.Join(' ', arguments)} failed");
        }

        return at;
    }
}

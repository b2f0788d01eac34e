using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>
/// A containerd of its own on a node of a sandbox: everything that it keeps is below one directory, and it looks for CNI where the node's
/// agent installed it. It runs in the node's network namespace and cgroup, with the node's files except for one: it sees the machine's
/// cgroups, as a runtime has to have all of its controllers.
/// </summary>
internal sealed class Containerd : IAsyncDisposable
{
    /// <summary>Shims' sockets have this place whatever the configuration says; what was there before is not ours to remove.</summary>
    private const string ShimSockets = "/run/containerd/s";

    private readonly SandboxNode _node;
    private readonly string _root;
    private readonly string[] _ownDirectories = [.. new[] { ShimSockets, "/run/containerd" }.Where(d => !Directory.Exists(d))];
    private Process? _process;

    public Containerd(SandboxNode node)
    {
        _node = node;
        _root = Directory.CreateTempSubdirectory("ecni-containerd-").FullName;
        File.WriteAllText(Path.Combine(_root, "config.toml"), Configuration());
        Client = new CriClient(Socket);
    }

    public CriClient Client { get; }

    /// <summary>
    /// Above the cgroups of all sandboxes, in every hierarchy: below the node's, where the agent's programs see their sockets.
    /// </summary>
    public string CgroupParent =>
        "/" + Path.GetRelativePath(Kernel.Host.CgroupDirectory.FindMountPoint(), Path.Combine(_node.CgroupPath, "kubepods"));

    private string Socket => Path.Combine(_root, "containerd.sock");

    private string Log => Path.Combine(_root, "containerd.log");

    /// <summary>Starts it and waits until it answers.</summary>
    /// <exception cref="InvalidOperationException">It ended instead, or does not answer; carries the end of its log.</exception>
    public async Task StartAsync()
    {
        Directory.CreateDirectory(Path.Combine(_node.CgroupPath, "containerd"));
        // The namespaces that it makes for pods must be seen by the agent, hence no propagation is changed but that of what is unmounted.
        const string uncover = "mount --make-rprivate /sys && umount /sys/fs/cgroup && exec containerd --config \"$1\"";
        string[] command =
        [
            "-c", $"echo $$ >{_node.CgroupPath}/containerd/cgroup.procs; exec >>{Log} 2>&1 </dev/null; exec \"$@\"", "sh",
            "nsenter", "--mount=" + _node.Mounts.Path, "--", "unshare", "--mount", "--propagation", "unchanged", "sh", "-c", uncover, "sh",
            $"{_root}/config.toml",
        ];
        // Forked by a thread inside the namespace: `ip netns exec` would mount another /sys and hide the agent's pins and the cgroups.
        _process = _node.Namespace.Run(() => Process.Start(new ProcessStartInfo("/bin/sh", command)))!;
        try
        {
            await Eventually.True(async () => _process.HasExited || await Client.IsServingAsync(), "containerd serves");
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException($"containerd does not serve:\n{LogTail()}", e);
        }
        if (_process.HasExited)
            throw new InvalidOperationException($"containerd ended with {_process.ExitCode}:\n{LogTail()}");
    }

    /// <summary>SIGKILL; sandboxes live on.</summary>
    public async Task KillAsync()
    {
        if (_process is null)
            return;
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>The image is there for sandboxes to use.</summary>
    public async Task ImportAsync(string archive, string name = ContainerImage.Name)
    {
        using var import = Process.Start(new ProcessStartInfo(
            "ctr", ["--address", Socket, "--namespace", "k8s.io", "images", "import", "--snapshotter", "native", archive])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var said = import.StandardError.ReadToEndAsync();
        await import.StandardOutput.ReadToEndAsync();
        await import.WaitForExitAsync();
        if (import.ExitCode != 0)
            throw new InvalidOperationException($"ctr cannot import {archive}: {await said}\n{LogTail()}");
        await Eventually.True(() => Client.HasImageAsync(name), "the image is known");
    }

    public string LogTail(int lines = 15) => File.Exists(Log) ? string.Join('\n', File.ReadLines(Log).TakeLast(lines)) : "(no log)";

    /// <summary>Ends sandboxes and containerd, whatever state they are in, and removes what they had.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            if (_process is { HasExited: false })
                foreach (var sandbox in await Client.ListAsync())
                {
                    await Client.StopAsync(sandbox.Id);
                    await Client.RemoveAsync(sandbox.Id);
                }
        }
        catch (Grpc.Core.RpcException)
        {
            // What did not end by being asked is ended below.
        }
        await KillAsync();
        Client.Dispose();
        await CgroupHierarchies.EndAsync(CgroupParent);
        await CgroupHierarchies.EndAsync(CgroupParent[..CgroupParent.LastIndexOf('/')] + "/containerd"); // shims
        await Mounts.RemoveBelowAsync(_root);
        Directory.Delete(_root, recursive: true);
        foreach (var directory in _ownDirectories.Where(Directory.Exists))
            if (!Directory.EnumerateFileSystemEntries(directory).Any())
                Directory.Delete(directory);
    }

    /// <summary>
    /// The native snapshotter, since overlayfs may not be had on top of what this runs in; no AppArmor and no wish for another OOM score,
    /// since a container of CI may have neither.
    /// </summary>
    private string Configuration() => string.Create(CultureInfo.InvariantCulture, $$"""
        version = 2
        root = "{{_root}}/root"
        state = "{{_root}}/state"
        disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
          "io.containerd.snapshotter.v1.overlayfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
        [grpc]
          address = "{{Socket}}"
        [plugins."io.containerd.internal.v1.opt"]
          path = "{{_root}}/opt"
        [plugins."io.containerd.grpc.v1.cri"]
          sandbox_image = "{{ContainerImage.Name}}"
          disable_apparmor = true
          restrict_oom_score_adj = true
          [plugins."io.containerd.grpc.v1.cri".cni]
            bin_dir = "{{NodeMounts.CniBinaries}}"
            conf_dir = "{{NodeMounts.CniConfiguration}}"
          [plugins."io.containerd.grpc.v1.cri".containerd]
            snapshotter = "native"
            [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
              runtime_type = "io.containerd.runc.v2"
              [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
                Root = "{{_root}}/runc"
                SystemdCgroup = false
        """);
}

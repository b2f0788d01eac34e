using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Fabric;

/// <summary>A node's files, on a machine whose own are a copy that no other process sees.</summary>
public sealed class NodeMountsTests : IAsyncLifetime
{
    private const string Node = "a";

    private readonly SandboxPaths _paths = new("t-mounts");

    public async ValueTask InitializeAsync()
    {
        Requires.Root();
        await SandboxCluster.CleanUpAsync(_paths.Name);
        _paths.NodeDirectories(Node).Create();
        Directory.CreateDirectory(_paths.NodeBpffs(Node));
        CgroupDirectory.Create(_paths.CgroupPath);
        CgroupDirectory.Create(_paths.NodeCgroup(Node));
    }

    public async ValueTask DisposeAsync() => await SandboxCluster.CleanUpAsync(_paths.Name);

    [Theory]
    [InlineData(NodeMounts.State)]
    [InlineData(NodeMounts.CniConfiguration)]
    [InlineData(NodeMounts.CniBinaries)]
    public void A_directory_of_the_machines_that_is_removed_takes_none_of_the_nodes_along(string directory)
    {
        using var network = NetworkNamespace.CreateAnonymous();
        using var machine = MountTree.Copy(null, network, () =>
        {
            var present = directory;
            while (!Directory.Exists(present))
                present = Path.GetDirectoryName(present)!;
            if (present == directory)
                present = Path.GetDirectoryName(directory)!;
            Mounting.Cover(present, name => name != Path.GetFileName(directory));
            Directory.CreateDirectory(directory);
            File.WriteAllText(Path.Combine(directory, "machines"), "");
            File.WriteAllText(Beside(directory), "");
        });
        NodeMounts? made = null;
        machine.Run(() => made = NodeMounts.Create(_paths, Node, network));
        using var node = made!;
        node.Inside(() => Assert.Equal((false, true), (File.Exists(Path.Combine(directory, "machines")), File.Exists(Beside(directory)))));
        machine.Run(() => Directory.Delete(directory, recursive: true));
        node.Inside(() => File.WriteAllText(Path.Combine(directory, "nodes"), ""));
        Assert.Single(Directory.GetFiles(_paths.NodeDirectories(Node).Root, "nodes", SearchOption.AllDirectories));
    }

    /// <summary>The control: the node's files are this machine's.</summary>
    private static string Beside(string directory) => directory + "-beside";
}

using System.Globalization;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>A bpffs directory and a cgroup of our own; both are removed with everything in them.</summary>
public sealed class Playground : IDisposable
{
    private readonly string _id = Random.Shared.Next().ToString("x8", CultureInfo.InvariantCulture);
    private readonly List<string> _cgroups = [];

    public Playground()
    {
        Requires.Root();
        Options = new DataplaneOptions
        {
            BpffsRoot = $"{BpfFileSystem.DefaultPath}/ebpf-cni-test-{_id}",
            ObjectDirectory = Path.GetDirectoryName(Repository.BpfObject("pod"))!,
            CgroupRoot = AddCgroup("a"),
            ServiceTableSize = 1024,
            BackendTableSize = 4096,
            ConntrackTcpMax = 256,
            ConntrackOtherMax = 256,
            SocketFlowsMax = 1024,
            EndpointTableSize = 64,
            SourceRangeTableSize = 64,
            AffinityTableSize = 1024,
            StatTableSize = 1024,
            IpcacheTableSize = 64,
        };
    }

    public DataplaneOptions Options { get; }

    public string AddCgroup(string name)
    {
        var path = Path.Combine(CgroupDirectory.FindMountPoint(), $"ebpf-cni-test-{_id}-{name}");
        CgroupDirectory.Create(path);
        _cgroups.Add(path);
        return path;
    }

    public void Dispose()
    {
        if (Directory.Exists(Options.BpffsRoot))
            Directory.Delete(Options.BpffsRoot, recursive: true);
        foreach (var cgroup in _cgroups.Where(Directory.Exists))
            CgroupDirectory.Open(cgroup).Remove();
    }
}

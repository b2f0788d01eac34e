using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>Loads an object of the dataplane: configuration, maps, programs.</summary>
internal sealed class ProgramLoader(DataplaneOptions options, MapLoader maps, Config config)
{
    public const string Socket = "socket.bpf.o";
    public const string Pod = "pod.bpf.o";
    public const string Uplink = "uplink.bpf.o";
    public const string Overlay = "overlay.bpf.o";

    /// <exception cref="DataplaneException">The file is missing, or a pinned map has another layout.</exception>
    /// <exception cref="BpfLoadException">The verifier refuses a program.</exception>
    public BpfObject Load(string file)
    {
        var path = Path.Combine(options.ObjectDirectory, file);
        if (!File.Exists(path))
            throw new DataplaneException(
                $"BPF object {path} not found: the bpf-objects option must name the directory of {Socket}, {Pod}, {Uplink} and {Overlay}");
        var bpf = BpfObject.Open(path);
        try
        {
            maps.Prepare(bpf);
            bpf.SetReadOnlyGlobal(MapNames.Config, config with
                { Flags = config.Flags | maps.Resizing, CtTcpSize = Size(bpf, MapNames.ConntrackTcp),
                CtAnySize = Size(bpf, MapNames.ConntrackAny) });
            bpf.Load();
            maps.PinNew(bpf);
            return bpf;
        }
        catch
        {
            bpf.Dispose();
            throw;
        }
    }

    private static uint Size(BpfObject prepared, string map) => prepared.Maps.FirstOrDefault(m => m.Name == map)?.MaxEntries ?? 0;
}

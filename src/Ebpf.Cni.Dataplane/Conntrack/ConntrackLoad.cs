using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>
/// <c>ebc_ctload_v1</c>, by which the programs know whether entries may be evicted. They add what they insert and subtract nothing; a
/// garbage collection pass corrects it.
/// </summary>
internal sealed class ConntrackLoad : IDisposable
{
    private readonly BpfMap _map;
    private readonly MappedArray<CtLoad> _memory;

    /// <param name="map">Owned.</param>
    public ConntrackLoad(BpfMap map)
    {
        _map = map;
        _memory = map.MapArray<CtLoad>();
    }

    public CtLoad Read() => _memory.Span[0];

    public void Set(uint tcp, uint any)
    {
        var words = MemoryMarshal.Cast<CtLoad, uint>(_memory.Span);
        Volatile.Write(ref words[0], tcp);
        Volatile.Write(ref words[1], any);
    }

    public void Dispose()
    {
        _memory.Dispose();
        _map.Dispose();
    }
}

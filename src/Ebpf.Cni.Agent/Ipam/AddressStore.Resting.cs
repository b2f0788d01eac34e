using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Agent.Ipam;

/// <content>Addresses that were released.</content>
public sealed partial class AddressStore
{
    /// <summary>Addresses that were released and may not be used yet.</summary>
    public IReadOnlyList<Addr> Rests
    {
        get
        {
            lock (_lock)
                return [.. Resting().Select(r => r.Address), .. _going.Keys];
        }
    }
}

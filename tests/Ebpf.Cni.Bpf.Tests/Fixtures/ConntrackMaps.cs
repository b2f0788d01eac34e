using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>Both connection tables as if they were one.</summary>
internal sealed class ConntrackMaps(BpfMap tcp, BpfMap any)
{
    public List<KeyValuePair<TKey, TValue>> ReadAll<TKey, TValue>() where TKey : unmanaged where TValue : unmanaged =>
        [.. tcp.ReadAll<TKey, TValue>(), .. any.ReadAll<TKey, TValue>()];

    public List<KeyValuePair<CtKey, Ct>> ReadAll() => ReadAll<CtKey, Ct>();

    public bool TryLookup(CtKey key, out Ct entry) => Of(key.Proto).TryLookup(key, out entry);

    public void Update(CtKey key, Ct entry) => Of(key.Proto).Update(key, entry);

    public bool Delete(CtKey key) => Of(key.Proto).Delete(key);

    public BpfMap Of(IpProtocol protocol) => protocol == IpProtocol.Tcp ? tcp : any;
}

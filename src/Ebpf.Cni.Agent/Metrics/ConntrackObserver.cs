using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Sync.Conntrack;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>Metrics of the connection table, and of the services whose connections are in it.</summary>
public sealed class ConntrackObserver(ConntrackMetrics table, ServiceMetrics services) : IConntrackObserver
{
    public void Swept(SweepResult result, TimeSpan took) => table.Swept(result, took);

    public void Counted(
        IReadOnlyDictionary<StatKey, Stat> live, IReadOnlyDictionary<StatKey, Stat> ended,
        IReadOnlyDictionary<uint, ServicePortName> names) =>
        services.Update(ended, live, names);

    public void Purged(int entries, TimeSpan took) => table.Purged(entries, took);

    public void Destroyed(int sockets) => table.Destroyed(sockets);
}

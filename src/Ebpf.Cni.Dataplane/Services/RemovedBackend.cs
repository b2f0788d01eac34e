using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// A backend that serves a service port no more, neither chosen nor in the tail; or the whole port is gone. Only of protocols without
/// connections that end by themselves: UDP and SCTP.
/// </summary>
public readonly record struct RemovedBackend(uint ServiceId, Addr Addr, U16Be Port, IpProtocol Protocol)
{
    public override string ToString() => Addr.IsIPv4
        ? $"{Addr}:{Port}/{Protocol} of service {ServiceId}" : $"[{Addr}]:{Port}/{Protocol} of service {ServiceId}";
}

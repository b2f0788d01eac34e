using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Agent.Node;

/// <summary>A device by which the node is reached, and the addresses that masqueraded traffic has there.</summary>
public sealed record UplinkDevice(int Ifindex, string Name, Addr? V4, Addr? V6);

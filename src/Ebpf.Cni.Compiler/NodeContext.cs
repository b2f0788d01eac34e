namespace Ebpf.Cni.Compiler;

/// <summary>Which node is compiled for: everything about it that is not in the cluster's objects.</summary>
/// <param name="NodeName">The node's name in the API; endpoints with this name are local.</param>
/// <param name="IPv4">The node serves IPv4: else IPv4 addresses are passed over in silence, as a single-stack kube-proxy does.</param>
/// <param name="IPv6">The same for IPv6.</param>
public sealed record NodeContext(string NodeName, bool IPv4 = true, bool IPv6 = true)
{
    internal bool Serves(bool ipv4) => ipv4 ? IPv4 : IPv6;
}

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>
/// An answer that is not well-formed netlink. The connection stays usable: the next request has a sequence number of its own.
/// </summary>
public sealed class NetlinkFormatException(string message) : Exception("malformed netlink answer: " + message);

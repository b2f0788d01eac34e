using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// nf_conntrack's table of TCP states (nf_conntrack_proto_tcp.c), as it is written there: a row for each kind of packet, a column for each
/// state from SYN_SENT to CLOSE. Where the kernel's says "invalid" or "ignore" the state stays (-).
/// </summary>
internal static class TcpModel
{
    private static readonly string[] States = ["SS", "SR", "ES", "FW", "CW", "LA", "TW", "CL"];

    private static readonly Dictionary<(bool Reply, string Kind), string> Table = new()
    {
        [(false, "syn")] = "-- -- -- -- -- -- -- --", // after the end it opens a new connection, which is not this one's state
        [(false, "synack")] = "-- -- -- -- -- -- -- --",
        [(false, "fin")] = "-- FW FW LA LA LA TW CL",
        [(false, "ack")] = "-- ES ES CW CW TW TW CL",
        [(true, "syn")] = "-- -- -- -- -- -- -- --",
        [(true, "synack")] = "SR -- -- SR SR SR -- --", // FW, CW, LA: agreement to a SYN that the kernel ignored, and remembers
        [(true, "fin")] = "-- FW FW LA LA LA TW CL",
        [(true, "ack")] = "SR SR ES CW CW TW TW CL", // SS: ours, for what is met halfway
    };

    public static CtState Next(CtState state, TcpFlags flags, bool reply, bool answered)
    {
        if (flags.HasFlag(TcpFlags.Rst))
            return CtState.Close;
        var kind = flags.HasFlag(TcpFlags.Syn) ? flags.HasFlag(TcpFlags.Ack) ? "synack" : "syn"
            : flags.HasFlag(TcpFlags.Fin) ? "fin"
            : flags.HasFlag(TcpFlags.Ack) ? "ack" : null;
        // the kernel would not have believed the reset: it checks its sequence number
        if (state == CtState.Close && answered && flags.HasFlag(TcpFlags.Ack) && kind is "ack" or "fin")
            state = CtState.SynRecv;
        var next = kind is null ? "--" : Table[(reply, kind)].Split(' ')[(int)state];
        return next == "--" ? state : (CtState)Array.IndexOf(States, next);
    }
}

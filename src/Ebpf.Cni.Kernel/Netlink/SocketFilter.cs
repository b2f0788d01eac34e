using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>
/// A <see cref="NetworkSubscription"/> as a classic BPF program on a netlink socket (socket(7), SO_ATTACH_FILTER):
/// the kernel runs it for each event before it is queued. An event is one message; this reads its header and the
/// fixed part behind that. Rules are asked in turn, and the first whose tests all hold decides.
/// </summary>
internal static class SocketFilter
{
    private const ushort LoadByte = 0x30, LoadHalf = 0x28, JumpIfEqual = 0x15, JumpIfSet = 0x45, Return = 0x06;
    private const int SocketLevel = 1, AttachFilter = 26;

    // offsets: struct nlmsghdr, and behind it struct rtmsg and struct ndmsg
    private const uint Type = 4, Flags = 6, RouteDestinationLength = 17, RouteTable = 20, RouteProtocol = 21, NeighbourState = 24;

    /// <summary>struct sock_filter</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Value);

    /// <param name="Load">Of a byte or a half; a half comes as from the network.</param>
    /// <param name="At">Where.</param>
    /// <param name="Jump">Equal, or a bit in common.</param>
    /// <param name="Value">With what.</param>
    /// <param name="Holds">Whether that is to be so, or not.</param>
    private readonly record struct Test(ushort Load, uint At, ushort Jump, uint Value, bool Holds = true);

    /// <summary>
    /// Puts the program in the place of the one before, at once. Without it more events arrive than subscribed to, which costs time alone.
    /// </summary>
    public static unsafe void Attach(FdHandle socket, NetworkSubscription subscription)
    {
        var program = Program(subscription);
        fixed (Instruction* first = program)
        {
            var header = new Header { Length = (ushort)program.Length, Instructions = first };
            _ = LibC.SetSocketOption(socket, SocketLevel, AttachFilter, &header, (uint)sizeof(Header));
        }
    }

    internal static Instruction[] Program(NetworkSubscription subscription)
    {
        var program = new List<Instruction>();
        if (!subscription.NextHops)
        {
            Rule(program, false, Is(MessageType.NewNextHop));
            Rule(program, false, Is(MessageType.DeleteNextHop));
        }

        if (!subscription.Arrivals)
        {
            Rule(program, false, Is(MessageType.NewAddress));
            Rule(program, false, Is(MessageType.NewNeighbour), new(LoadHalf, NeighbourState, JumpIfSet, Wire(Neighbour.StatePermanent)));
        }

        Rule(program, true, Is(MessageType.NewRoute, false), Is(MessageType.DeleteRoute, false));
        Rule(program, false, new Test(LoadByte, RouteTable, JumpIfEqual, Route.MainTable, false));
        if (subscription.Routes.HasFlag(RouteEvents.OfProtocol))
            Rule(program, true, new Test(LoadByte, RouteProtocol, JumpIfEqual, subscription.Protocol));
        if (subscription.Routes.HasFlag(RouteEvents.Replacements))
            Rule(program, true, Is(MessageType.NewRoute), new(LoadHalf, Flags, JumpIfSet, Wire((ushort)MessageFlags.Replace)));
        if (subscription.Routes.HasFlag(RouteEvents.Defaults))
            Rule(program, true, new Test(LoadByte, RouteDestinationLength, JumpIfEqual, 0));
        program.Add(Verdict(subscription.Routes.HasFlag(RouteEvents.All)));
        return [.. program];
    }

    private static void Rule(List<Instruction> program, bool accept, params ReadOnlySpan<Test> tests)
    {
        // a test is two instructions: load, and jump behind the verdict where it does not hold
        for (var i = 0; i < tests.Length; i++)
        {
            var (test, skip) = (tests[i], (byte)((tests.Length - i - 1) * 2 + 1));
            program.Add(new Instruction(test.Load, 0, 0, test.At));
            program.Add(new Instruction(test.Jump, test.Holds ? (byte)0 : skip, test.Holds ? skip : (byte)0, test.Value));
        }

        program.Add(Verdict(accept));
    }

    private static Instruction Verdict(bool accept) => new(Return, 0, 0, accept ? uint.MaxValue : 0);

    private static Test Is(MessageType type, bool holds = true) => new(LoadHalf, Type, JumpIfEqual, Wire((ushort)type), holds);

    /// <summary>Netlink has the machine's order; the program loads as from the network.</summary>
    private static uint Wire(ushort value) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;

    /// <summary>struct sock_fprog</summary>
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Header
    {
        public ushort Length;
        public Instruction* Instructions;
    }
}

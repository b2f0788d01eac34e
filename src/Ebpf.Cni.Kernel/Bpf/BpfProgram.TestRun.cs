namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Running a program on a packet of the caller's making.</content>
public sealed partial class BpfProgram
{
    // the kernel builds the packet in one page beside its own head and tail room
    private const int LargestPacket = 65536;

    /// <summary>
    /// Runs a traffic-control or XDP program on a packet, without a device (BPF_PROG_TEST_RUN).
    /// </summary>
    /// <param name="packet">From the Ethernet header on; at least 14 bytes.</param>
    /// <param name="context">
    /// What the program finds beside the packet; an ifindex is looked up in the calling thread's network namespace.
    /// </param>
    /// <param name="repeat">How often; the packet returned is the last one's, the duration the mean.</param>
    /// <exception cref="KernelException">EINVAL for a packet too short or a read-only context field.</exception>
    public BpfTestRunResult TestRun(ReadOnlySpan<byte> packet, SkBuffContext? context = null, int repeat = 1)
    {
        if (context is not { } given)
            return TestRun(packet, Span<byte>.Empty, repeat);
        var result = TestRun(packet, given.Bytes(), repeat);
        return result with { Context = given };
    }

    /// <summary>As above with a context of the caller's making, written back after the run.</summary>
    public unsafe BpfTestRunResult TestRun(ReadOnlySpan<byte> packet, Span<byte> context, int repeat = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(repeat);
        var output = new byte[LargestPacket];
        fixed (byte* packetPointer = packet)
        fixed (byte* outputPointer = output)
        fixed (byte* contextPointer = context)
        {
            using var lease = _fd.Lease();
            var attributes = new TestRunAttributes
            {
                ProgramFd = (uint)lease.Fd,
                DataIn = packetPointer,
                DataInSize = (uint)packet.Length,
                DataOut = outputPointer,
                DataOutSize = (uint)output.Length,
                ContextIn = contextPointer,
                ContextInSize = (uint)context.Length,
                ContextOut = contextPointer,
                ContextOutSize = (uint)context.Length,
                Repeat = (uint)repeat,
            };
            var result = BpfSyscall.Invoke(BpfCommand.ProgramTestRun, ref attributes);
            if (result < 0)
                throw new KernelException($"run the program {Name} on a packet of {packet.Length} bytes", -result);
            return new BpfTestRunResult(
                attributes.ReturnValue,
                output.AsSpan(0, (int)attributes.DataOutSize).ToArray(),
                attributes.Duration);
        }
    }

    /// <summary>Runs a program that works on its input alone, once: for what it returns.</summary>
    /// <param name="input">At least 14 bytes, and less than a page.</param>
    /// <exception cref="KernelException">The kernel refuses.</exception>
    public unsafe uint Run(ReadOnlySpan<byte> input)
    {
        fixed (byte* pointer = input)
        {
            using var lease = _fd.Lease();
            var attributes = new TestRunAttributes { ProgramFd = (uint)lease.Fd, DataIn = pointer, DataInSize = (uint)input.Length,
                Repeat = 1 };
            var result = BpfSyscall.Invoke(BpfCommand.ProgramTestRun, ref attributes);
            return result >= 0 ? attributes.ReturnValue : throw new KernelException(
                $"run the program {Name} on {input.Length} bytes", -result);
        }
    }
}

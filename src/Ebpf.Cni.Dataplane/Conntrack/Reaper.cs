using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>
/// Removes dead entries through the program <c>ebc_ct_reap</c>, which looks at each once more in the instant in which it deletes it: what a
/// packet has refreshed since it was read lives on. It takes the other entry of the connection along and adds what both carried to the
/// statistics.
/// </summary>
internal interface IReaper
{
    /// <summary>Keys that it takes at once.</summary>
    int Batch { get; }

    /// <returns>How many connections were removed.</returns>
    int Reap(ReadOnlySpan<CtKey> keys);
}

/// <inheritdoc/>
internal sealed class BpfReaper(BpfProgram program) : IReaper, IDisposable
{
    private const int EthernetHeader = 14;

    // What a test run takes is a bit less than a page (before Linux 6.18).
    private const int Keys = 64;

    private readonly byte[] _input = new byte[EthernetHeader + (Keys * Marshal.SizeOf<CtKey>())];

    public int Batch => Keys;

    public int Reap(ReadOnlySpan<CtKey> keys)
    {
        var bytes = MemoryMarshal.AsBytes(keys);
        bytes.CopyTo(_input.AsSpan(EthernetHeader));
        return (int)program.Run(_input.AsSpan(0, EthernetHeader + bytes.Length));
    }

    public void Dispose() => program.Dispose();
}

/// <summary>For who only looks.</summary>
internal sealed class NoReaper : IReaper
{
    public int Batch => 1;

    public int Reap(ReadOnlySpan<CtKey> keys) => 0;
}

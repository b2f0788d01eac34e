using System.Globalization;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Per-CPU maps: the kernel copies one value for each possible CPU, each at a multiple of 8 bytes.</content>
public sealed partial class BpfMap
{
    /// <summary>CPUs the kernel may ever have, not the ones that are on; how many values an element of a per-CPU map has.</summary>
    public static int PossibleCpus { get; } = CountCpus(File.ReadAllText("/sys/devices/system/cpu/possible"));

    /// <param name="key">The element.</param>
    /// <param name="perCpu">Receives a value per CPU; its length is <see cref="PossibleCpus"/>.</param>
    /// <exception cref="KernelException">ENOENT if the key is absent.</exception>
    public void LookupPerCpu<TKey, TValue>(in TKey key, Span<TValue> perCpu) where TKey : unmanaged where TValue : unmanaged
    {
        if (!TryLookupPerCpu(in key, perCpu))
            throw Failure("read", -Errno.ENOENT);
    }

    /// <returns>False if the key is absent.</returns>
    public unsafe bool TryLookupPerCpu<TKey, TValue>(in TKey key, Span<TValue> perCpu)
        where TKey : unmanaged where TValue : unmanaged
    {
        var stride = RequirePerCpu<TKey, TValue>(perCpu.Length);
        var buffer = new byte[stride * PossibleCpus];
        fixed (TKey* keyPointer = &key)
        fixed (byte* values = buffer)
        {
            var result = Element(BpfCommand.MapLookup, keyPointer, values);
            if (result == -Errno.ENOENT)
                return false;
            if (result < 0)
                throw Failure("read", result);
        }
        for (var cpu = 0; cpu < perCpu.Length; cpu++)
            perCpu[cpu] = MemoryMarshal.Read<TValue>(buffer.AsSpan(cpu * stride));
        return true;
    }

    /// <summary>Sets every CPU's value; <paramref name="perCpu"/> has <see cref="PossibleCpus"/> values.</summary>
    public unsafe void UpdatePerCpu<TKey, TValue>(in TKey key, ReadOnlySpan<TValue> perCpu)
        where TKey : unmanaged where TValue : unmanaged
    {
        var stride = RequirePerCpu<TKey, TValue>(perCpu.Length);
        var buffer = new byte[stride * PossibleCpus];
        for (var cpu = 0; cpu < perCpu.Length; cpu++)
            MemoryMarshal.Write(buffer.AsSpan(cpu * stride), in perCpu[cpu]);
        fixed (TKey* keyPointer = &key)
        fixed (byte* values = buffer)
        {
            var result = Element(BpfCommand.MapUpdate, keyPointer, values);
            if (result < 0)
                throw Failure("write", result);
        }
    }

    /// <summary>Reads the kernel's list notation: "0-3,8".</summary>
    internal static int CountCpus(string list)
    {
        var count = 0;
        foreach (var range in list.Trim().Split(','))
        {
            var bounds = range.Split('-');
            var first = int.Parse(bounds[0], CultureInfo.InvariantCulture);
            count += int.Parse(bounds[^1], CultureInfo.InvariantCulture) - first + 1;
        }
        return count;
    }

    private int RequirePerCpu<TKey, TValue>(int length) where TKey : unmanaged where TValue : unmanaged
    {
        if (!Info.IsPerCpu)
            throw new InvalidOperationException($"{this} has no values per CPU");
        RequireSizes<TKey, TValue>();
        if (length != PossibleCpus)
            throw new ArgumentException($"{length} values given, {PossibleCpus} CPUs are possible");
        return RoundUp(Info.ValueSize, 8);
    }

    private static int RoundUp(int size, int multiple) => (size + multiple - 1) / multiple * multiple;
}

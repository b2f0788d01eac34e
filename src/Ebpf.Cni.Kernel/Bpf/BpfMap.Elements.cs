namespace Ebpf.Cni.Kernel.Bpf;

/// <content>One element at a time.</content>
public sealed partial class BpfMap
{
    /// <returns>False if the key is absent.</returns>
    public unsafe bool TryLookup<TKey, TValue>(in TKey key, out TValue value) where TKey : unmanaged where TValue : unmanaged
    {
        RequireOneValue();
        RequireSizes<TKey, TValue>();
        fixed (TKey* keyPointer = &key)
        fixed (TValue* valuePointer = &value)
        {
            *valuePointer = default;
            var result = Element(BpfCommand.MapLookup, keyPointer, valuePointer);
            if (result is not (0 or -Errno.ENOENT))
                throw Failure("read", result);
            return result == 0;
        }
    }

    /// <exception cref="KernelException">
    /// E2BIG if the map is full; EEXIST or ENOENT as <paramref name="mode"/> says.
    /// </exception>
    public unsafe void Update<TKey, TValue>(in TKey key, in TValue value, BpfUpdateMode mode = BpfUpdateMode.Any)
        where TKey : unmanaged where TValue : unmanaged
    {
        RequireOneValue();
        RequireSizes<TKey, TValue>();
        fixed (TKey* keyPointer = &key)
        fixed (TValue* valuePointer = &value)
        {
            var result = Element(BpfCommand.MapUpdate, keyPointer, valuePointer, (ulong)mode);
            if (result < 0)
                throw Failure("write", result);
        }
    }

    /// <summary>Adds an element; one that is there already stays as it is.</summary>
    /// <returns>False if the key is present.</returns>
    /// <exception cref="KernelException">E2BIG if the map is full; ENOMEM if an LRU map has no free element at hand.</exception>
    public unsafe bool TryAdd<TKey, TValue>(in TKey key, in TValue value) where TKey : unmanaged where TValue : unmanaged
    {
        RequireOneValue();
        RequireSizes<TKey, TValue>();
        fixed (TKey* keyPointer = &key)
        fixed (TValue* valuePointer = &value)
        {
            var result = Element(BpfCommand.MapUpdate, keyPointer, valuePointer, (ulong)BpfUpdateMode.Add);
            if (result is not (0 or -Errno.EEXIST))
                throw Failure("write", result);
            return result == 0;
        }
    }

    /// <returns>False if the key was absent.</returns>
    public unsafe bool Delete<TKey>(in TKey key) where TKey : unmanaged
    {
        RequireKey<TKey>();
        fixed (TKey* keyPointer = &key)
        {
            var result = Element(BpfCommand.MapDelete, keyPointer, null);
            if (result is not (0 or -Errno.ENOENT))
                throw Failure("delete from", result);
            return result == 0;
        }
    }

    /// <summary>The key after <paramref name="previous"/>, or the first one; null previous means start.</summary>
    private unsafe bool NextKey(void* previous, void* next)
    {
        var result = Element(BpfCommand.MapNextKey, previous, next);
        if (result is not (0 or -Errno.ENOENT))
            throw Failure("walk", result);
        return result == 0;
    }

    private unsafe int Element(BpfCommand command, void* key, void* value, ulong flags = 0)
    {
        using var lease = _fd.Lease();
        var attributes = new MapElementAttributes { MapFd = (uint)lease.Fd, Key = key, Value = value, Flags = flags };
        return BpfSyscall.Invoke(command, ref attributes);
    }

    // the kernel would copy one value per CPU, over or from the end of the caller's
    private void RequireOneValue()
    {
        if (Info.IsPerCpu)
            throw new InvalidOperationException($"{this} has a value per CPU: use the PerCpu operations");
    }
}

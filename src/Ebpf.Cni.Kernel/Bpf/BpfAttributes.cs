using System.Runtime.InteropServices;
using System.Text;

namespace Ebpf.Cni.Kernel.Bpf;

// The members of union bpf_attr, by command. Field order and sizes are the kernel's (uapi/linux/bpf.h).

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MapCreateAttributes
{
    public uint Type;
    public uint KeySize;
    public uint ValueSize;
    public uint MaxEntries;
    public uint Flags;
    public uint InnerMapFd;
    public uint NumaNode;
    public BpfName Name;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MapElementAttributes
{
    public uint MapFd;
    public uint Pad;
    public void* Key;

    /// <summary>The value; for MapNextKey where the next key goes.</summary>
    public void* Value;
    public ulong Flags;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MapBatchAttributes
{
    /// <summary>Where to go on, as a previous call gave it; null for the start.</summary>
    public void* From;

    /// <summary>Where the kernel writes how to go on.</summary>
    public void* Next;
    public void* Keys;
    public void* Values;

    /// <summary>In: how many there are or fit. Out: how many were done.</summary>
    public uint Count;
    public uint MapFd;
    public ulong ElementFlags;
    public ulong Flags;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ProgramLoadAttributes
{
    public uint Type;
    public uint InstructionCount;
    public void* Instructions;
    public byte* License;
    public uint LogLevel;
    public uint LogSize;
    public byte* Log;
    public uint KernelVersion;
    public uint Flags;
    public BpfName Name;
    public uint Ifindex;
    public uint ExpectedAttachType;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ObjectPathAttributes
{
    public byte* Path;
    public uint Fd;
    public uint Flags;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ObjectInfoAttributes
{
    public uint Fd;
    public uint Length;
    public void* Info;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TestRunAttributes
{
    public uint ProgramFd;
    public uint ReturnValue;
    public uint DataInSize;
    public uint DataOutSize;
    public byte* DataIn;
    public byte* DataOut;
    public uint Repeat;
    public uint Duration;
    public uint ContextInSize;
    public uint ContextOutSize;
    public byte* ContextIn;
    public byte* ContextOut;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LinkCreateAttributes
{
    public uint ProgramFd;

    /// <summary>A cgroup's descriptor, or an interface's index.</summary>
    public uint Target;
    public uint AttachType;
    public uint Flags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LinkUpdateAttributes
{
    public uint LinkFd;
    public uint NewProgramFd;
    public uint Flags;
    public uint OldProgramFd;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LinkDetachAttributes
{
    public uint LinkFd;
}

/// <summary>BPF_OBJ_NAME_LEN: 15 characters and a zero; only letters, digits, '_' and '.'.</summary>
[System.Runtime.CompilerServices.InlineArray(Length)]
internal struct BpfName
{
    public const int Length = 16;
    private byte _first;

    public BpfName(string name)
    {
        Span<byte> bytes = this;
        bytes.Clear();
        var length = 0;
        foreach (var c in name)
        {
            if (length == Length - 1)
                break;
            bytes[length++] = char.IsAsciiLetterOrDigit(c) || c is '_' or '.' ? (byte)c : (byte)'_';
        }
    }

    public override readonly string ToString()
    {
        ReadOnlySpan<byte> bytes = this;
        var end = bytes.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? bytes : bytes[..end]);
    }
}

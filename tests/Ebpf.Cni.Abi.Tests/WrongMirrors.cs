using System.Runtime.InteropServices;

#pragma warning disable IDE0051, CA1823, CS0169, CS0414 // fields exist for their layout

namespace Ebpf.Cni.Abi.Tests;

/// <summary>Mirrors of struct ebc_svc_key and struct ebc_svc that are wrong, each in its way.</summary>
internal static class WrongMirrors
{
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct SwappedFields(Addr Addr, U16Be Port, Scope Scope, IpProtocol Proto);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct NativePort(Addr Addr, ushort Port, IpProtocol Proto, Scope Scope);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct MissingField(Addr Addr, U16Be Port, IpProtocol Proto);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct FieldTooMany(Addr Addr, U16Be Port, IpProtocol Proto, Scope Scope, uint More);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct OtherName(Addr Addr, U16Be Number, IpProtocol Proto, Scope Scope);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct OtherStruct(SvcKeyBytes Addr, U16Be Port, IpProtocol Proto, Scope Scope);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct SvcKeyBytes(ulong High, ulong Low);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct WiderField(Addr Addr, U16Be Port, ushort Proto, Scope Scope);
}

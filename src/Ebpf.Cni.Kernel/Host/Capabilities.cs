using System.Globalization;

namespace Ebpf.Cni.Kernel.Host;

/// <summary>Rights of a process that the kernel knows by number: those that this project has to do with.</summary>
public enum Capability
{
    DacOverride = 1,
    NetAdmin = 12,
    SysChroot = 18,
    SysPtrace = 19,
    SysAdmin = 21,
    SysResource = 24,
}

/// <summary>A set of capabilities, as /proc/PID/status has it.</summary>
public readonly record struct Capabilities(ulong Bits)
{
    private const string EffectiveLine = "CapEff:";

    /// <summary>Those that the kernel grants this process now. All threads have the same: .NET changes none.</summary>
    public static Capabilities Effective() => Parse(File.ReadLines("/proc/self/status"));

    public bool Has(Capability capability) => (Bits >> (int)capability & 1) != 0;

    /// <summary>CAP_NET_ADMIN.</summary>
    public static string Name(Capability capability) => capability switch
    {
        Capability.DacOverride => "CAP_DAC_OVERRIDE",
        Capability.NetAdmin => "CAP_NET_ADMIN",
        Capability.SysChroot => "CAP_SYS_CHROOT",
        Capability.SysPtrace => "CAP_SYS_PTRACE",
        Capability.SysAdmin => "CAP_SYS_ADMIN",
        Capability.SysResource => "CAP_SYS_RESOURCE",
        _ => ((int)capability).ToString(CultureInfo.InvariantCulture),
    };

    internal static Capabilities Parse(IEnumerable<string> status)
    {
        var line = status.FirstOrDefault(l => l.StartsWith(EffectiveLine, StringComparison.Ordinal))
            ?? throw new InvalidDataException("/proc/self/status has no line CapEff");
        return new Capabilities(
            ulong.Parse(line.AsSpan(EffectiveLine.Length).Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
    }
}

using System.Globalization;

namespace Ebpf.Cni.Kernel.Host;

/// <summary>The machine's memory. A container's limit is no part of it: tables of the kernel serve the whole node.</summary>
public static class NodeMemory
{
    private const string Field = "MemTotal:";

    /// <summary>Bytes that the kernel manages; what firmware and a crash kernel keep is missing.</summary>
    /// <exception cref="IOException">/proc is not readable.</exception>
    /// <exception cref="FormatException">/proc/meminfo has no MemTotal.</exception>
    public static long ReadTotal() => ParseTotal(File.ReadLines("/proc/meminfo"));

    /// <param name="lines">Of /proc/meminfo: "MemTotal:       16303428 kB".</param>
    public static long ParseTotal(IEnumerable<string> lines)
    {
        ArgumentNullException.ThrowIfNull(lines);
        var line = lines.FirstOrDefault(l => l.StartsWith(Field, StringComparison.Ordinal))
            ?? throw new FormatException($"/proc/meminfo has no {Field}");
        var kibibytes = line.AsSpan(Field.Length).Trim();
        if (kibibytes.EndsWith("kB", StringComparison.Ordinal))
            kibibytes = kibibytes[..^2].TrimEnd();
        return long.Parse(kibibytes, NumberStyles.None, CultureInfo.InvariantCulture) * 1024;
    }
}

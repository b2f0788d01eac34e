using System.Collections.Immutable;
using System.Globalization;
using System.Net;

namespace Ebpf.Cni.Agent.Options;

/// <summary>Texts to values; a FormatException says what is expected.</summary>
internal static class OptionValues
{
    public static int Number(string text, int min, int max) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n >= min && n <= max
            ? n
            : throw new FormatException($"a number from {min} to {max} is expected");

    /// <summary>Entries of a table; 0 leaves it to the agent.</summary>
    public static uint Size(string text) => (uint)Number(text, 0, 1 << 30);

    /// <summary>Each has two entries, and both tables together must not exceed 32 bits.</summary>
    public static uint Connections(string text) => (uint)Number(text, 0, 1 << 29);

    /// <summary>Events a second.</summary>
    public static uint Rate(string text) => (uint)Number(text, 0, 1_000_000);

    /// <summary>Seconds of idleness: up to ten days, nf_conntrack's longest is five.</summary>
    public static uint Lifetime(string text) => (uint)Number(text, 1, 864_000);

    /// <summary>CIDRs with commas between them; "" is none.</summary>
    public static ImmutableArray<IPNetwork> Networks(string text) =>
        [.. Items(text).Select(t => t.Contains('/', StringComparison.Ordinal) && IPNetwork.TryParse(t, out var network)
            ? network
            : throw new FormatException($"CIDRs are expected, and '{t}' is none"))];

    /// <summary>Names of network devices, * allowed, with commas between them.</summary>
    public static ImmutableArray<string> DevicePatterns(string text)
    {
        ImmutableArray<string> patterns = [.. Items(text)];
        return patterns.Length > 0 && patterns.All(p => p.Length <= 15 && !p.Any(c => c is '/' or ':' || char.IsWhiteSpace(c)))
            ? patterns
            : throw new FormatException("names of network devices (15 characters at most) are expected");
    }

    private static string[] Items(string text) =>
        text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    public static TimeSpan Seconds(string text, int min, int max) => TimeSpan.FromSeconds(Number(text, min, max));

    public static bool Boolean(string text) => text switch
    {
        "true" => true,
        "false" => false,
        _ => throw new FormatException("true or false is expected"),
    };

    public static T OneOf<T>(string text) where T : struct, Enum =>
        Enum.GetNames<T>().FirstOrDefault(n => n.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } name
            ? Enum.Parse<T>(name)
            : throw new FormatException("one of " + string.Join(", ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant()))
                + " is expected");

    public static IPEndPoint EndPoint(string text) =>
        IPEndPoint.TryParse(text, out var end) && end.Port > 0 && text.EndsWith(":" + end.Port, StringComparison.Ordinal)
            ? end
            : throw new FormatException("ADDRESS:PORT or [ADDRESS]:PORT is expected");
}

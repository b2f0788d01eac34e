using System.Globalization;
using System.Text.RegularExpressions;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>
/// Each finds what must not be in a file; the tests show that it is not there, and that it would be found. Calls that must not
/// be made are the compiler's to find (BannedSymbols.txt), and what a project may use is read from its assembly
/// (<see cref="DirectionTests"/>).
/// </summary>
internal static partial class Detectors
{
    /// <summary>A wait for a fixed time: waits are for conditions, or for a time that the caller computed.</summary>
    public static IEnumerable<string> FixedWaits(SourceFile file) => Find(file, file.Code, WaitPattern());

    /// <summary>Work that was left undone.</summary>
    public static IEnumerable<string> Unfinished(SourceFile file) => Find(file, file.Text, TodoPattern());

    /// <summary>Names that say nothing about what is inside.</summary>
    public static bool HasEmptyName(string path) => NamePattern().IsMatch(Path.GetFileName(path));

    /// <summary>Event ids of [LoggerMessage], null where one has none.</summary>
    public static IEnumerable<int?> EventIds(SourceFile file) => EventPattern().Matches(file.Code)
        .Select(m => m.Groups["id"].Success ? int.Parse(m.Groups["id"].Value, CultureInfo.InvariantCulture) : (int?)null);

    private static IEnumerable<string> Find(SourceFile file, string text, Regex pattern) => pattern.Matches(text)
        .Select(m => $"{file.Path}:{text.AsSpan(0, m.Index).Count('\n') + 1}: {m.Value.Trim()}");

    [GeneratedRegex(@"\bTask\s*\.\s*Delay\s*\(\s*(\d|TimeSpan\s*\.\s*From\w+\s*\(\s*[\d.]+\s*\))")]
    private static partial Regex WaitPattern();

    [GeneratedRegex(@"\b(TODO|FIXME|XXX|HACK)\b")]
    private static partial Regex TodoPattern();

    [GeneratedRegex(@"(Util|Utils|Utilities|Helper|Helpers|Manager|Managers|Misc)(\.[\w.]*)?\.(cs|c|h)$", RegexOptions.IgnoreCase)]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"\[LoggerMessage\s*\(\s*((EventId\s*=\s*)?(?<id>\d+))?")]
    private static partial Regex EventPattern();
}

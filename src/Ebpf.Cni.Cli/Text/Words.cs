using System.Globalization;
using System.Text;

namespace Ebpf.Cni.Cli.Text;

/// <summary>Durations, numbers and sentences as they are printed.</summary>
internal static class Words
{
    private const int CommitDigits = 8;
    private const string Cut = " ...";

    /// <summary>0.3s, 12s, 4m05s, 3h07m, 5d02h.</summary>
    public static string Duration(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Max(0, seconds));
        return span.TotalSeconds < 10 ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.#}s")
            : span.TotalMinutes < 1 ? $"{span.Seconds}s"
            : span.TotalHours < 1 ? $"{span.Minutes}m{span.Seconds:00}s"
            : span.TotalDays < 1 ? $"{span.Hours}h{span.Minutes:00}m"
            : $"{(int)span.TotalDays}d{span.Hours:00}h";
    }

    /// <summary>A version with as much of its commit as identifies it.</summary>
    public static string Version(string version) =>
        version.IndexOf('+', StringComparison.Ordinal) is > 0 and var at && version.Length > at + CommitDigits
            ? version[..(at + 1 + CommitDigits)] : version;

    /// <summary>Without the commit: the two binaries of a release need not be of the same build.</summary>
    public static string Release(string version) => version.Split('+')[0];

    public static string Number(double value) => value.ToString("0", CultureInfo.InvariantCulture);

    public static string Count(int count, string one, string? many = null) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : many ?? one + "s")}");

    public static string Bytes(ulong bytes) => bytes switch
    {
        < 10_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes}B"),
        < 10_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.#}kB"),
        < 10_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.#}MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.#}GB"),
    };

    /// <summary>
    /// In lines of at most this width; the first starts with the prefix, the others are indented as far; what goes beyond
    /// <paramref name="lines"/> is cut.
    /// </summary>
    public static string Wrap(string prefix, string text, int width, int lines = int.MaxValue)
    {
        var wrapped = new List<string>();
        var line = new StringBuilder();
        foreach (var word in text.ReplaceLineEndings(" ").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && prefix.Length + line.Length + 1 + word.Length > width)
            {
                wrapped.Add(line.ToString());
                line.Clear();
            }

            line.Append(line.Length == 0 ? "" : " ").Append(word);
        }

        wrapped.Add(line.ToString());
        if (wrapped.Count > lines)
        {
            var last = wrapped[lines - 1];
            var room = Math.Max(0, width - prefix.Length - Cut.Length);
            wrapped[lines - 1] = (last.Length <= room ? last : last[..Math.Max(0, last.LastIndexOf(' ', room))]) + Cut;
        }

        var indent = new string(' ', prefix.Length);
        return string.Concat(wrapped.Take(lines).Select((l, i) => $"{(i == 0 ? prefix : indent)}{l}".TrimEnd() + "\n"));
    }
}

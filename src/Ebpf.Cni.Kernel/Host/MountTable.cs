namespace Ebpf.Cni.Kernel.Host;

/// <summary>A line of /proc/PID/mountinfo.</summary>
/// <param name="Path">Where it is mounted.</param>
/// <param name="Type">"bpf", "cgroup2".</param>
/// <param name="Root">The directory of the file system that is seen there.</param>
public sealed record Mount(string Path, string Type, string Root);

/// <summary>What is mounted, as the calling thread sees it.</summary>
public static class MountTable
{
    public static IReadOnlyList<Mount> Read() => Parse(File.ReadAllText("/proc/thread-self/mountinfo"));

    /// <summary>The first mount of a type; null if there is none.</summary>
    public static Mount? FindType(string type) => Read().FirstOrDefault(mount => mount.Type == type);

    /// <summary>What is mounted exactly at <paramref name="path"/>, uppermost; null if nothing is.</summary>
    public static Mount? FindPath(string path)
    {
        var wanted = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return Read().LastOrDefault(mount => mount.Path == wanted);
    }

    /// <summary>Lines that are not as documented in proc(5) are left out.</summary>
    internal static IReadOnlyList<Mount> Parse(string mountInfo)
    {
        var mounts = new List<Mount>();
        foreach (var line in mountInfo.Split('\n'))
        {
            // 36 35 98:0 /root /mount/point options [optional fields] - type source options
            var fields = line.Split(' ');
            var separator = Array.IndexOf(fields, "-");
            if (separator >= 6 && separator + 1 < fields.Length)
                mounts.Add(new Mount(Unescape(fields[4]), fields[separator + 1], Unescape(fields[3])));
        }
        return mounts;
    }

    // space, tab, newline and backslash appear as \ooo
    private static string Unescape(string field)
    {
        for (var at = field.IndexOf('\\', StringComparison.Ordinal); at >= 0 && at + 3 < field.Length; at = field.IndexOf('\\', at + 1))
        {
            var digits = field.Substring(at + 1, 3);
            if (digits.All(c => c is >= '0' and <= '7'))
                field = field[..at] + (char)Convert.ToInt32(digits, 8) + field[(at + 4)..];
        }
        return field;
    }
}

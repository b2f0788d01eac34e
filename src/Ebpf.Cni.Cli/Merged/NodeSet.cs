namespace Ebpf.Cni.Cli.Merged;

/// <summary>Some of the nodes that answered, in few words.</summary>
internal static class NodeSet
{
    private const int NamesMost = 4, AbsentMost = 2;

    /// <returns>all; all but worker-3; worker-1, worker-2; worker-1, worker-2, worker-3, worker-4 and 9 more.</returns>
    public static string Of(IReadOnlyCollection<string> some, IReadOnlyCollection<string> all)
    {
        var absent = all.Except(some).ToList();
        return absent.Count == 0 && all.Count > 1 ? "all"
            : absent.Count is > 0 and <= AbsentMost && absent.Count * 2 < some.Count ? $"all but {string.Join(", ", absent)}"
            : some.Count <= NamesMost ? string.Join(", ", some)
            : $"{string.Join(", ", some.Take(NamesMost))} and {some.Count - NamesMost} more";
    }
}

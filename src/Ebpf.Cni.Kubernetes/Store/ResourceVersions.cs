namespace Ebpf.Cni.Kubernetes.Store;

/// <summary>
/// Order of resource versions. Where both are decimal numbers (every real API server's are, and since Kubernetes 1.35 they are specified to
/// be) they are compared as such; where not, nothing is known to be older.
/// </summary>
internal static class ResourceVersions
{
    /// <summary>Characters; etcd's revisions have 19 digits at most.</summary>
    private const int LongestVersion = 64;

    public static bool IsOlder(string candidate, string than)
    {
        if (!IsNumber(candidate) || !IsNumber(than))
            return false;
        return candidate.Length != than.Length ? candidate.Length < than.Length : string.CompareOrdinal(candidate, than) < 0;
    }

    /// <summary>
    /// No version at all where a known one is a number, or one that no server would give: its bearer is not to be believed.
    /// </summary>
    public static bool IsOdd(string candidate, string? known) =>
        candidate.Length is 0 or > LongestVersion || (known is not null && IsNumber(known) && !IsNumber(candidate));

    private static bool IsNumber(string text) =>
        text.Length > 0 && (text[0] != '0' || text.Length == 1) && !text.AsSpan().ContainsAnyExceptInRange('0', '9');
}

using System.Globalization;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>Times as the API writes them: RFC 3339 in UTC, to the second.</summary>
internal static class Timestamps
{
    public static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}

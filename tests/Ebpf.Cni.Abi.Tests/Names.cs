using System.Text;

namespace Ebpf.Cni.Abi.Tests;

/// <summary>
/// The naming rule between the two halves: <c>ebc_svc_key.service_id</c> is <c>SvcKey.ServiceId</c>, <c>EBC_CT_SEEN_REPLY</c> is
/// <c>CtFlags.SeenReply</c>.
/// </summary>
internal static class Names
{
    public static string Type(string c) => Pascal(c.StartsWith("ebc_", StringComparison.Ordinal) ? c[4..] : c);

    /// <summary>Without "EBC_" and the word that names the enum.</summary>
    public static string Enumerator(string c) => Pascal(string.Join('_', c.Split('_')[2..]));

    public static string Pascal(string snake) =>
        string.Concat(snake.ToLowerInvariant().Split('_').Select(w => w.Length == 0 ? "" : char.ToUpperInvariant(w[0]) + w[1..]));

    /// <summary>The C type of a mirror.</summary>
    public static string CType(Type mirror) => "struct ebc_" + Snake(mirror.Name);

    /// <summary>The C member of a C# field. <c>W3</c> is <c>w[3]</c>; paddings and IP versions (<c>V4</c>) keep their number.</summary>
    public static string CMember(string field)
    {
        var snake = Snake(field);
        return snake.StartsWith("pad", StringComparison.Ordinal) || snake is "v4" or "v6" || !char.IsDigit(snake[^1])
            ? snake
            : $"{snake[..^1]}[{snake[^1]}]";
    }

    private static string Snake(string pascal)
    {
        var text = new StringBuilder();
        foreach (var c in pascal)
        {
            if (char.IsUpper(c) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }
        return text.ToString();
    }
}

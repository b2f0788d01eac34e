using System.Text;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>Names of enum values as labels.</summary>
public static class LabelText
{
    /// <summary>SourceAddress → source_address.</summary>
    public static string Snake<T>(T value) where T : struct, Enum
    {
        var text = new StringBuilder();
        foreach (var c in value.ToString())
        {
            if (char.IsAsciiLetterUpper(c) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}

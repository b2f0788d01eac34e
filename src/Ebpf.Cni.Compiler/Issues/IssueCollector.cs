using System.Globalization;
using System.Text;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Issues;

/// <summary>
/// The issues of one object: one for each reason, so that an object with thousands of bad parts cannot flood events and logs.
/// The first part found wrong is reported, the others are counted.
/// </summary>
internal sealed class IssueCollector(string kind, ObjectName name, string? uid)
{
    private const int LongestQuote = 64;

    private List<(string Reason, string Message, int Count)>? _found;

    public void Add(string reason, string message)
    {
        _found ??= [];
        for (var i = 0; i < _found.Count; i++)
        {
            if (_found[i].Reason != reason)
                continue;
            _found[i] = _found[i] with { Count = _found[i].Count + 1 };
            return;
        }
        _found.Add((reason, message, 1));
    }

    public void MoveTo(List<CompileIssue> issues)
    {
        foreach (var (reason, message, count) in _found ?? [])
        {
            var more = count == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" (and {count - 1} more)");
            issues.Add(new CompileIssue(kind, name, uid ?? "", reason, message + more));
        }
        _found = null;
    }

    /// <summary>A value of an object in quotes: cut when long, without control characters.</summary>
    public static string Quote(string? value)
    {
        if (value is null)
            return "null";
        var text = new StringBuilder("\"");
        foreach (var c in value.AsSpan(0, Math.Min(value.Length, LongestQuote)))
            text.Append(char.IsControl(c) || char.IsSurrogate(c) ? '?' : c);
        return text.Append(value.Length > LongestQuote ? "…\"" : "\"").ToString();
    }
}

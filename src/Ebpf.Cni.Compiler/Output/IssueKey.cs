using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>Names an issue: an object has at most one of a reason. Sorted by kind, name, reason.</summary>
public readonly record struct IssueKey(string Kind, ObjectName Name, string Reason) : IComparable<IssueKey>
{
    public static IssueKey Of(CompileIssue issue)
    {
        ArgumentNullException.ThrowIfNull(issue);
        return new IssueKey(issue.Kind, issue.Name, issue.Reason);
    }

    public int CompareTo(IssueKey other)
    {
        var c = string.CompareOrdinal(Kind, other.Kind);
        if (c == 0)
            c = Name.CompareTo(other.Name);
        return c != 0 ? c : string.CompareOrdinal(Reason, other.Reason);
    }

    public static bool operator <(IssueKey a, IssueKey b) => a.CompareTo(b) < 0;
    public static bool operator >(IssueKey a, IssueKey b) => a.CompareTo(b) > 0;
    public static bool operator <=(IssueKey a, IssueKey b) => a.CompareTo(b) <= 0;
    public static bool operator >=(IssueKey a, IssueKey b) => a.CompareTo(b) >= 0;
}

using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Issues;

/// <summary>
/// All issues of a cluster, kept up to date by what came and what went. Within one compile the order
/// does not matter: what went is taken away before what came is put in, since an issue may move from
/// one part of the compile to another (a slice that changes its service takes its own along).
/// </summary>
internal sealed class IssueTable
{
    private readonly List<CompileIssue> _gone = [];
    private readonly List<CompileIssue> _come = [];
    private ImmutableSortedDictionary<IssueKey, CompileIssue> _all = ImmutableSortedDictionary<IssueKey, CompileIssue>.Empty;

    public void Add(CompileIssue issue) => _come.Add(issue);

    public void Remove(CompileIssue issue) => _gone.Add(issue);

    /// <summary>What one part found before, and what it finds now.</summary>
    public void Replace(ReadOnlySpan<CompileIssue> before, ReadOnlySpan<CompileIssue> after)
    {
        if (before == after)
            return;
        _gone.AddRange(before);
        _come.AddRange(after);
    }

    /// <summary>Takes in all that was noted since the last call.</summary>
    /// <returns>All issues; and how they differ from those before, as far as that is worth telling.</returns>
    public (ImmutableSortedDictionary<IssueKey, CompileIssue> All, KeyedChanges<IssueKey, CompileIssue>? Changes) Settle()
    {
        if (_gone.Count + _come.Count == 0)
            return (_all, null);
        var before = _all;
        var keys = new HashSet<IssueKey>();
        var all = before.ToBuilder();
        foreach (var issue in _gone)
            if (keys.Add(IssueKey.Of(issue)))
                all.Remove(IssueKey.Of(issue));
        foreach (var issue in _come)
        {
            var key = IssueKey.Of(issue);
            keys.Add(key);
            // One that is found again as it was stays the object it was.
            all[key] = before.TryGetValue(key, out var known) && known == issue ? known : issue;
        }
        _gone.Clear();
        _come.Clear();
        _all = all.ToImmutable();
        return (_all, KeyedDifference.Hint(before, keys));
    }
}

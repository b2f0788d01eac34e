using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kubernetes;

namespace Ebpf.Cni.Sync.State;

/// <summary>
/// Reports issues: a log line when one appears and when it is resolved, a gauge while it lasts, an event for the object.
/// Its cost follows the changes; events of all current issues are handed on again every few minutes, for those that have expired.
/// </summary>
public sealed partial class IssueReport(IssueEvents events, ISyncObserver observer, TimeProvider time, ILogger<IssueReport> log)
{
    private static readonly TimeSpan RepeatAfter = TimeSpan.FromMinutes(5);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, HashSet<CompileIssue>> _bySource = [];

    /// <summary>How many sources know each.</summary>
    private readonly Dictionary<CompileIssue, int> _known = [];
    private ImmutableSortedDictionary<IssueKey, CompileIssue> _compiled = DesiredState.Empty.IssuesByKey;
    private long _repeated = time.GetTimestamp();

    /// <summary>All that is known now, by object.</summary>
    public IReadOnlyList<CompileIssue> Current
    {
        get
        {
            lock (_lock)
                return
                [
                    .. _known.Keys
                        .OrderBy(i => i.Kind, StringComparer.Ordinal).ThenBy(i => i.Name).ThenBy(i => i.Reason, StringComparer.Ordinal),
                ];
        }
    }

    /// <summary>What the compiler has found; one source of its own.</summary>
    public void Report(DesiredState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        lock (_lock)
        {
            var (come, gone) = (new List<CompileIssue>(), new List<CompileIssue>());
            foreach (var key in KeyedDifference.Between(_compiled, state.IssuesByKey, state.IssueChanges))
            {
                if (state.IssuesByKey.GetValueOrDefault(key) is { } now)
                    come.Add(now);
                if (_compiled.GetValueOrDefault(key) is { } before)
                    gone.Add(before);
            }

            _compiled = state.IssuesByKey;
            Update(come, gone);
        }
    }

    /// <param name="source">The reporting component; each has issues of its own.</param>
    /// <param name="issues">All that it finds now.</param>
    public void Report(string source, IReadOnlyCollection<CompileIssue> issues)
    {
        ArgumentNullException.ThrowIfNull(issues);
        lock (_lock)
        {
            var before = _bySource.GetValueOrDefault(source, []);
            if (before.Count + issues.Count > 0)
            {
                var now = _bySource[source] = [.. issues];
                Update(now, before);
            }
            else
                Repeat();
        }
    }

    /// <summary>What is in both stays as it is.</summary>
    private void Update(IReadOnlyCollection<CompileIssue> come, IReadOnlyCollection<CompileIssue> gone)
    {
        var appeared = new List<CompileIssue>();
        foreach (var issue in come)
        {
            var sources = _known.GetValueOrDefault(issue);
            _known[issue] = sources + 1;
            if (sources == 0)
                appeared.Add(issue);
        }

        foreach (var issue in gone)
        {
            if (--_known[issue] > 0)
                continue;
            _known.Remove(issue);
            observer.Over(issue);
            Log.Over(log, issue.Kind, issue.Name.ToString(), issue.Reason);
        }

        foreach (var issue in appeared)
        {
            observer.Appeared(issue);
            Log.Appeared(log, issue.Kind, issue.Name.ToString(), issue.Reason, issue.Message);
        }

        events.Report(appeared);
        Repeat();
    }

    private void Repeat()
    {
        if (time.GetElapsedTime(_repeated) < RepeatAfter)
            return;
        _repeated = time.GetTimestamp();
        events.Report(_known.Keys);
    }

    private static partial class Log
    {
        [LoggerMessage(3321, LogLevel.Warning, "{Kind} {Name}: {Reason}: {Message}")]
        public static partial void Appeared(ILogger log, string kind, string name, string reason, string message);

        [LoggerMessage(3322, LogLevel.Information, "{Kind} {Name}: {Reason} is resolved")]
        public static partial void Over(ILogger log, string kind, string name, string reason);
    }
}

using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Sync.State;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Ebpf.Cni.Sync.Tests.Loop;

namespace Ebpf.Cni.Sync.Tests.State;

/// <summary>Issues of several sources, as they come and go.</summary>
public sealed class IssueReportTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly RecordingObserver _observer = new();
    private readonly KubernetesConnection _connection = KubernetesConnection.Anonymous(new Uri("http://127.0.0.1:1/"));
    private readonly IssueEvents _events;
    private readonly IssueReport _report;

    public IssueReportTests()
    {
        _events = new IssueEvents(_connection, "n", NullLogger<IssueEvents>.Instance, _time);
        _report = new IssueReport(_events, _observer, _time, NullLogger<IssueReport>.Instance);
    }

    public void Dispose() => _connection.Dispose();

    [Fact]
    public void An_issue_lasts_as_long_as_one_source_knows_it()
    {
        var issue = Issue("a", "Same");
        _report.Report(State(issue));
        _report.Report("other", [issue]);
        Assert.Equal([issue], _report.Current);
        Assert.Equal(1, Reported("Same"));
        _report.Report(State());
        Assert.Equal([issue], _report.Current);
        _report.Report("other", []);
        Assert.Empty(_report.Current);
        Assert.Equal(0, Reported("Same"));
    }

    [Fact]
    public void Random_histories_end_with_what_is_known_last()
    {
        var random = new Random(Seed.Next());
        var state = State();
        var other = Array.Empty<CompileIssue>();
        for (var step = 0; step < 300; step++)
        {
            if (random.Next(2) == 0)
            {
                var next = State(Some());
                _report.Report(state = random.Next(3) == 0
                    ? next
                    : next with { IssueChanges = new(state.IssuesByKey, [.. state.IssuesByKey.Keys.Union(next.IssuesByKey.Keys)]) });
            }
            else
                _report.Report("other", other = Some());

            var known = state.Issues.Union(other).ToList();
            Assert.Equal(known.OrderBy(i => i.ToString()), _report.Current.OrderBy(i => i.ToString()));
            Assert.Equal(known.Count(i => i.Reason == "R1"), Reported("R1"));
        }

        CompileIssue[] Some() =>
        [
            .. Enumerable.Range(0, 12).Where(_ => random.Next(3) == 0)
                .Select(i => Issue($"s{i % 4}", $"R{i / 4}") with { Message = $"{random.Next(2)}" }),
        ];
    }

    private static CompileIssue Issue(string name, string reason) => new("Service", new("default", name), "u", reason, "message");

    private static DesiredState State(params CompileIssue[] issues) => new()
    {
        IssuesByKey = DesiredState.Empty.IssuesByKey.AddRange(issues.Select(i => KeyValuePair.Create(IssueKey.Of(i), i))),
    };

    private int Reported(string reason) => _observer.Issues.Count(i => i.Reason == reason);
}

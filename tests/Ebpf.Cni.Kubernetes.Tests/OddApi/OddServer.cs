using System.Globalization;
using Ebpf.Cni.Kubernetes.Tests.FakeApi;

namespace Ebpf.Cni.Kubernetes.Tests.OddApi;

/// <summary>
/// An API server in place of the network, for Services: right as a real one is, or odd. Right includes what real ones do: a watch from
/// a version of the future is accepted and silent, a list not older than one is refused with 504, an unknown continue token with 410.
/// </summary>
internal sealed class OddServer(FakeCluster cluster, OddAnswers odd, TimeProvider time) : HttpMessageHandler
{
    private readonly Dictionary<string, (long Version, List<FakeObject> Left)> _tokens = [];
    private readonly List<(ScriptedBody Body, long[] Sent, string? Selector)> _watches = [];
    private readonly Queue<string> _transcript = new();

    /// <summary>Odd answers still to be given; then the server is right.</summary>
    public int OddLeft { get; private set; }

    /// <summary>The last requests and answers.</summary>
    public string Transcript => string.Join('\n', _transcript);

    public void TurnOdd(int answers) => OddLeft = answers;

    /// <summary>
    /// From now on every answer is right, and page tokens of before are unknown. Watches that were opened before end, since a
    /// client could not tell a silent one from a watch on which nothing happens. What hangs or trickles, hangs and trickles on.
    /// </summary>
    public void TurnRight()
    {
        OddLeft = 0;
        _tokens.Clear();
        Note("--- right");
        BreakWatches();
    }

    /// <summary>Resets every open watch.</summary>
    public void BreakWatches()
    {
        var open = _watches.ToArray();
        _watches.Clear();
        odd.EndWatches();
        foreach (var (body, _, _) in open)
            body.Stop(new IOException("reset"));
    }

    /// <summary>Tells the open watches what happened.</summary>
    public void Pump()
    {
        foreach (var (body, sent, selector) in _watches.ToArray())
        {
            foreach (var change in cluster.Since(Objects.Services, selector, sent[0]).Changes)
            {
                sent[0] = change.Version;
                body.Add($$"""{"type":"{{change.Type}}","object":{{change.Object.Json}}}""" + "\n");
            }
        }
    }

    public void Note(string what)
    {
        _transcript.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow():HH:mm:ss.fff} {what}"));
        if (_transcript.Count > 60)
            _transcript.Dequeue();
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var asked = Asked.Read(request.RequestUri!);
        Note($"{request.RequestUri!.Query}");
        if (OddLeft == 0)
            return Task.FromResult(Right(asked));
        OddLeft--;
        var (what, answer) = odd.Next(asked, RightList, cancellationToken);
        Note("    " + what);
        return answer;
    }

    private HttpResponseMessage Right(Asked asked)
    {
        if (asked.Watch)
            return RightWatch(asked);
        var (code, text) = RightList(asked);
        return OddAnswers.Response(code, new ScriptedBody(time).Add(text).End());
    }

    private HttpResponseMessage RightWatch(Asked asked)
    {
        if (!long.TryParse(asked.Version, CultureInfo.InvariantCulture, out var from))
            return OddAnswers.Response(
                400, new ScriptedBody(time).Add(OddAnswers.Status(400, "BadRequest", "invalid resourceVersion")).End());
        var body = new ScriptedBody(time);
        if (from < cluster.Compacted)
        {
            return OddAnswers.Response(
                200,
                body.Add($$"""{"type":"ERROR","object":{{OddAnswers.Status(410, "Expired", "too old resource version")}}}""" + "\n").End());
        }

        _watches.Add((body, [from], asked.Selector));
        Pump();
        return OddAnswers.Response(200, body);
    }

    private (int Code, string Text) RightList(Asked asked)
    {
        var (version, rest) = cluster.List(Objects.Services, asked.Selector);
        if (asked.Continue is not null)
        {
            if (!_tokens.TryGetValue(asked.Continue, out var kept))
                return (410, OddAnswers.Status(410, "Expired", "the continue token is too old"));
            (version, rest) = kept;
        }
        else if (asked.Version is not null)
        {
            if (!long.TryParse(asked.Version, CultureInfo.InvariantCulture, out var floor))
                return (400, OddAnswers.Status(400, "BadRequest", "invalid resourceVersion"));
            if (floor > version)
                return (504, OddAnswers.Status(504, "Timeout", $"Too large resource version: {floor}, current: {version}"));
        }

        var page = rest.Take(asked.Limit ?? int.MaxValue).ToList();
        var token = "";
        if (page.Count < rest.Count)
        {
            token = $"{version}/{rest.Count}";
            _tokens[token] = (version, rest[page.Count..]);
        }

        return (200, OddAnswers.List("ServiceList", $"\"{version}\"", token, string.Join(',', page.Select(p => p.Json))));
    }
}

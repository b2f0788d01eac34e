using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Ebpf.Cni.Kubernetes.Tests.FakeApi;

namespace Ebpf.Cni.Kubernetes.Tests.OddApi;

/// <summary>
/// Random answers as no server should give them. What none of them does is lie plausibly: a
/// complete list that lacks objects, or a version a little ahead of the events that were sent,
/// cannot be told from the truth by any client. A list without any object is the one exception.
/// </summary>
internal sealed class OddAnswers(FakeCluster cluster, Random random, TimeProvider time)
{
    private static readonly int[] Codes =
    [
        201, 202, 204, 206, 226, 300, 301, 302, 304, 307, 308,
        400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 418, 422, 423, 429, 431, 499,
        500, 501, 502, 503, 504, 505, 507, 511, 520, 599, 999,
    ];

    private static readonly string?[] RetryAfters =
    [
        null, null, null, "0", "1", "7", "120", "100000000000", "-5", "soon",
        "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 2049 23:59:59 GMT",
    ];

    private static readonly string[] Nonsense =
    [
        "", " ", "\n", "\n\n\r\n", "null", "17", "[]", "{}", "\"x\"", "{", "[[[[[[[[", "}",
        "<html><h1>502 Bad Gateway</h1></html>\n", "\0\0\0", "\ufeff{}", "OK\n",
        "{\"kind\":\"Status\",\"code\":500}", "{\"kind\":\"ServiceList\"}", "{\"items\":[]}",
        "{\"type\":\"ADDED\"}\n", "{\"a\":1e999}\n", "\\ud800\n",
    ];

    /// <summary>JSON values that are no version that a server gives, or one of a distant time.</summary>
    private static readonly string[] Versions =
    [
        "\"0\"", "\"1\"", "\"-1\"", "\"abc\"", "\"\"", "null", "17", "\"1e3\"", "\" 9\"", "\"007\"",
        "\"1000000000000\"", "\"99999999999999999999999\"", $"\"{new string('9', 100_000)}\"", "{}",
    ];

    private static readonly byte[] Giant = Encoding.ASCII.GetBytes(new string('x', 17 << 20));
    private readonly List<ScriptedBody> _watches = [];

    /// <summary>How often which answer was given.</summary>
    public SortedDictionary<string, int> Given { get; } = new(StringComparer.Ordinal);

    public static HttpResponseMessage Response(int code, HttpContent body) => new((HttpStatusCode)code) { Content = body };

    public static string Status(int code, string reason, string message) =>
        """{"kind":"Status","apiVersion":"v1","metadata":{}"""
        + $$""","status":"Failure","message":"{{message}}","reason":"{{reason}}","code":{{code}}}""";

    public static string List(string kind, string version, string token, string items) =>
        $$"""{"kind":"{{kind}}","apiVersion":"v1","metadata":{"resourceVersion":{{version}},"continue":"{{token}}"},"items":[{{items}}]}""";

    public void EndWatches()
    {
        var open = _watches.ToArray();
        _watches.Clear();
        foreach (var body in open)
            body.Stop(random.Next(2) == 0 ? new IOException("reset") : null);
    }

    /// <param name="asked">The request.</param>
    /// <param name="right">What a right server says to a list.</param>
    /// <param name="ct">The client gave up.</param>
    public (string What, Task<HttpResponseMessage> Answer) Next(
        Asked asked, Func<Asked, (int Code, string Text)> right, CancellationToken ct)
    {
        var (what, answer) = random.Next(10) switch
        {
            0 => Broken(ct),
            1 or 2 => Refused(),
            3 => ("nonsense", Say(200, OneOf(Nonsense))),
            _ => asked.Watch ? Watch(asked) : List(asked, right),
        };
        Given[what] = Given.GetValueOrDefault(what) + 1;
        return (what, answer);
    }

    private (string, Task<HttpResponseMessage>) Broken(CancellationToken ct) => random.Next(6) switch
    {
        0 => ("refused connection", Fail(new HttpRequestException("refused", new SocketException((int)SocketError.ConnectionRefused)))),
        1 => ("reset", Fail(new HttpRequestException(
            "reset", new IOException("reset", new SocketException((int)SocketError.ConnectionReset))))),
        2 => ("untrusted", Fail(new HttpRequestException("tls", new AuthenticationException("the certificate chain is not trusted")))),
        3 => ("connect timeout", Fail(new TaskCanceledException("timed out", new TimeoutException()))),
        4 => ("early end", Fail(new HttpRequestException("early", new HttpIOException(HttpRequestError.ResponseEnded)))),
        _ => ("hang", Hang(ct)),
    };

    private (string, Task<HttpResponseMessage>) Refused()
    {
        var code = OneOf(Codes);
        var body = new ScriptedBody(time);
        switch (random.Next(8))
        {
            case 0:
                body.Add(OneOf(Nonsense)).End();
                break;
            case 1:
                body.Add(new Piece([(byte)'{'], TimeSpan.FromSeconds(2), Forever: true));
                break;
            case 2:
                body.Add(Status(code, "Timeout", "Too large resource version: 9, current: 1")).End();
                break;
            case 3:
                body.Add(new Piece(Failure: new IOException("cut")));
                break;
            default:
                body.Add(Status(random.Next(3) == 0 ? OneOf(Codes) : code, OneOf("Expired", "Gone", "InternalError", ""), "odd")).End();
                break;
        }

        var response = Response(code, body);
        if (OneOf(RetryAfters) is { } wish)
            response.Headers.TryAddWithoutValidation("Retry-After", wish);
        if (code / 100 == 3)
            response.Headers.TryAddWithoutValidation("Location", OneOf("https://elsewhere.example/", "/api/v1/services", "::"));
        return ($"status {code / 100}xx", Task.FromResult(response));
    }

    private (string, Task<HttpResponseMessage>) List(Asked asked, Func<Asked, (int Code, string Text)> right)
    {
        var text = right(asked with { Version = null }).Text;
        var items = string.Join(',', cluster.List(Objects.Services, asked.Selector).Objects.Select(o => o.Json));
        switch (random.Next(11))
        {
            case 0:
                return ("cut list", Task.FromResult(Response(200, new ScriptedBody(time)
                    .Add(text[..random.Next(text.Length)]).Add(new Piece(Failure: new HttpIOException(HttpRequestError.ResponseEnded))))));
            case 1:
                return ("truncated list", Say(200, text[..random.Next(text.Length)]));
            case 2:
                return ("list of another kind", Say(200, List(
                    OneOf("PodList", "Status", "Service", "List"), $"\"{cluster.Version}\"", "", "")));
            case 3 when asked.Continue is null:
                return ("empty list", Say(200, List("ServiceList", $"\"{cluster.Version}\"", "", "")));
            case 4 when !asked.IsCheck:
                return ("list of an odd version", Say(200, List("ServiceList", OneOf(Versions), "", items)));
            case 5:
                return ("odd continue token", Say(200, List(
                    "ServiceList",
                    $"\"{cluster.Version}\"",
                    OneOf(asked.Continue ?? "same", "next", new string('t', 200_000), "%00&=?#", "\\u0000"),
                    items)));
            case 6:
                return ("odd elements", Say(200, List("ServiceList", "\"1\"", "", OneOf(
                    "null", "17", "[]", "{}",
                    """{"kind":"Pod","metadata":{"name":"s1","namespace":"default"}}""", """{"metadata":{"name":17}}"""))));
            case 7:
                return ("trickling list", Task.FromResult(Response(200, new ScriptedBody(time)
                    .Add(text[..^1]).Add(new Piece(" "u8.ToArray(), TimeSpan.FromSeconds(random.Next(1, 40)), Forever: true)))));
            case 8:
                return ("list that stops", Task.FromResult(Response(200, new ScriptedBody(time).Add(text[..random.Next(text.Length)]))));
            case 9 when random.Next(200) == 0:
                return ("giant element", Task.FromResult(Response(200, new ScriptedBody(time)
                    .Add("""{"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[{"x":" """).Add(new Piece(Giant)).End())));
            default:
                return ("expired token", Say(410, Status(410, "Expired", "the continue token is too old")));
        }
    }

    private (string, Task<HttpResponseMessage>) Watch(Asked asked)
    {
        var body = new ScriptedBody(time);
        var truth = long.TryParse(asked.Version, out var from) && from >= cluster.Compacted
            ? cluster.Since(Objects.Services, asked.Selector, from).Changes
            : [];
        var said = 0;
        for (var n = random.Next(5); n > 0; n--)
        {
            // The truth so far, in order: it must do no harm between the odd lines.
            body.Add(random.Next(2) == 0 && said < truth.Count
                ? Event(truth[said].Type, truth[said++].Object.Json)
                : OddLine());
        }

        switch (random.Next(7))
        {
            case 0:
                body.Add(new Piece(Failure: new IOException("reset")));
                return ("watch, reset", Task.FromResult(Response(200, body)));
            case 1:
                _watches.Add(body);
                return ("watch, silent", Task.FromResult(Response(200, body)));
            case 2:
                body.Add(Event("ADDED", "{\"metadata\":{\"na")[..20])
                    .Add(new Piece("x"u8.ToArray(), TimeSpan.FromSeconds(random.Next(1, 40)), Forever: true));
                return ("watch, trickling line", Task.FromResult(Response(200, body)));
            case 3:
                body.Add(new Piece("\n"u8.ToArray(), TimeSpan.FromSeconds(random.Next(1, 40)), Forever: true));
                _watches.Add(body);
                return ("watch, empty lines", Task.FromResult(Response(200, body)));
            case 4 when random.Next(200) == 0:
                body.Add(new Piece(Giant)).End();
                return ("watch, giant line", Task.FromResult(Response(200, body)));
            case 5:
                body.Add(new Piece(After: TimeSpan.FromSeconds(random.Next(1, 40)))).End();
                return ("watch, ends later", Task.FromResult(Response(200, body)));
            default:
                body.End();
                return ("watch, ends at once", Task.FromResult(Response(200, body)));
        }
    }

    private string OddLine()
    {
        var name = $"s{random.Next(8)}";
        switch (random.Next(9))
        {
            case 0:
                return Event("BOOKMARK", $$$"""{"kind":"Service","metadata":{"resourceVersion":{{{OneOf(Versions)}}} } }""");
            case 1:
                return Event("BOOKMARK", OneOf(
                    "{}", "null", """{"kind":"Pod","metadata":{"resourceVersion":"150"}}""", """{"metadata":17}"""));
            case 2:
                return Event("ERROR", Status(
                    OneOf(Codes),
                    OneOf("Expired", "Gone", "InternalError", "Timeout"),
                    OneOf("odd", "Too large resource version: 9, current: 1")));
            case 3:
                return Event("ERROR", OneOf("null", "{}", "[]", "17", """{"code":"410"}"""));
            case 4:
                return Event(
                    OneOf("ADDED", "MODIFIED", "DELETED"),
                    """{"kind":"Pod","metadata":"""
                    + $$$"""{"name":"{{{name}}}","namespace":"default","resourceVersion":"{{{cluster.Version}}}"}}""");
            case 5:
                return Event(OneOf("ADDED", "MODIFIED", "DELETED"), OneOf(
                    "null", "[]", "17", "{}",
                    """{"metadata":null}""", """{"metadata":{"name":""}}""", """{"metadata":{"name":"\ud800"}}"""));
            case 6:
                return Event(
                    OneOf("ADDED", "MODIFIED", "DELETED"),
                    $$$"""{"metadata":{"name":"{{{name}}}","namespace":"default","resourceVersion":{{{OneOf(Versions)}}} }"""
                    + ""","spec":{"ports":[{"port":9}]}}""");
            case 7:
                return Event(OneOf("", "added", "NONSENSE", "ADDED\",\"x\":\""), "{}");
            default:
                return OneOf(Nonsense) + "\n";
        }
    }

    private static string Event(string type, string json) => $$"""{"type":"{{type}}","object":{{json}}}""" + "\n";

    private Task<HttpResponseMessage> Say(int code, string text) => Task.FromResult(Response(code, new ScriptedBody(time).Add(text).End()));

    private static Task<HttpResponseMessage> Fail(Exception e) => Task.FromException<HttpResponseMessage>(e);

    private static Task<HttpResponseMessage> Hang(CancellationToken ct)
    {
        var never = new TaskCompletionSource<HttpResponseMessage>();
        ct.Register(() => never.TrySetCanceled(ct));
        return never.Task;
    }

    private TItem OneOf<TItem>(params ReadOnlySpan<TItem> items) => items[random.Next(items.Length)];
}

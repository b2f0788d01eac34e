using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Demo;

/// <summary>Many requests to one address, each on a new socket, sent by one process in the client's pod; and who answered.</summary>
/// <param name="Answers">By what was answered: "POD NODE".</param>
/// <param name="Failures">By what went wrong.</param>
internal sealed record RequestRound(IReadOnlyDictionary<string, int> Answers, IReadOnlyDictionary<string, int> Failures, double MedianMs,
    double SlowestMs)
{
    private const string Program = """
        import collections, json, socket, sys, time
        kind, host, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        request = f"GET / HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n".encode()
        answers, failures, times = collections.Counter(), collections.Counter(), []
        for _ in range(count):
            began = time.perf_counter()
            try:
                with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
                    s.settimeout(3)
                    s.connect((host, port))
                    s.sendall(request if kind == "tcp" else b"who?\n")
                    answer = b""
                    while part := s.recv(4096):
                        answer += part
                        if kind == "udp":
                            break
                head, _, body = answer.rpartition(b"\r\n\r\n")
                if kind == "tcp" and not head.startswith(b"HTTP/1.1 200"):
                    raise ValueError(f"no answer but {answer[:60]!r}")
                answers[body.decode().strip()] += 1
                times.append((time.perf_counter() - began) * 1e6)
            except (OSError, ValueError) as e:
                failures[f"{type(e).__name__}: {e}"] += 1
        times.sort()
        print(json.dumps({"answers": answers, "failures": failures,
                          "median": int(times[len(times) // 2]) if times else 0, "slowest": int(times[-1]) if times else 0}))
        """;

    public int Answered => Answers.Values.Sum();

    public int Failed => Failures.Values.Sum();

    /// <param name="kind">"tcp": an HTTP request on a new connection; "udp": a datagram from a new socket.</param>
    /// <exception cref="InvalidOperationException">The program itself failed.</exception>
    public static async Task<RequestRound> RunAsync(
        SandboxView sandbox, string client, string kind, IPEndPoint target, int count, CancellationToken ct)
    {
        string[] command =
        [
            "python3", "-c", Program, kind, target.Address.ToString(),
            target.Port.ToString(CultureInfo.InvariantCulture), count.ToString(CultureInfo.InvariantCulture),
        ];
        var ran = (await sandbox.ExecAsync(client, command, ct: ct)).ThrowIfFailed();
        var json = JsonNode.Parse(ran.Output);
        return new RequestRound(Counts(json, "answers"), Counts(json, "failures"), (json.Number("median") ?? 0) / 1000.0,
            (json.Number("slowest") ?? 0) / 1000.0);
    }

    private static Dictionary<string, int> Counts(JsonNode? json, string field) =>
        (json.At(field) as JsonObject)?.ToDictionary(pair => pair.Key, pair => (int)(pair.Value.Number() ?? 0)) ?? [];
}

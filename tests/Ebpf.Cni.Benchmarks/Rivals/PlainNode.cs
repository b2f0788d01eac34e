using System.Diagnostics;
using System.Globalization;

namespace Ebpf.Cni.Benchmarks.Rivals;

/// <summary>
/// A node without us: a namespace that routes between two pods' veths, as any CNI plugin of the routed kind leaves it, with the same server
/// and meter in the pods. Rules are loaded into it, or none: then it is what going directly costs.
/// </summary>
internal sealed class PlainNode : IDisposable
{
    public const string Server = "10.244.0.2", Client = "10.244.0.3", ServiceAddress = "10.96.0.80";
    public const int Port = 7000;

    private readonly string _name;
    private readonly List<Process> _processes = [];

    private PlainNode(string name) => _name = name;

    public string MeterSocket => Path.Combine(Path.GetTempPath(), $"ecni-bench-{_name}.sock");

    public static PlainNode Start(string name)
    {
        var node = new PlainNode(name);
        try
        {
            node.Build();
            node._processes.Add(node.Spawn("server", "server", Port.ToString(CultureInfo.InvariantCulture)));
            node._processes.Add(node.Spawn("client", "meter", node.MeterSocket));
            return node;
        }
        catch
        {
            node.Dispose();
            throw;
        }
    }

    /// <summary>Gives text to a command in the node's namespace; the time it took, or null when it was stopped at the limit.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public TimeSpan? Load(TimeSpan limit, string input, params string[] command)
    {
        var started = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", Namespace("node"), .. command])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        var writing = Task.Run(() =>
        {
            try
            {
                process.StandardInput.Write(input);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended early; its errors tell why.
            }
        });
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            writing.Wait();
            return null;
        }
        writing.Wait();
        var time = started.Elapsed;
        return process.ExitCode == 0 ? time : throw new InvalidOperationException($"{string.Join(' ', command)}: {errors.Result.Trim()}");
    }

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }
        foreach (var part in new[] { "client", "server", "node" })
            PlainPod.Ip(check: false, "netns", "del", Namespace(part));
        File.Delete(MeterSocket);
    }

    private void Build()
    {
        foreach (var part in new[] { "node", "server", "client" })
        {
            PlainPod.Ip(check: true, "netns", "add", Namespace(part));
            PlainPod.Ip(check: true, "-n", Namespace(part), "link", "set", "lo", "up");
        }
        Inside("sysctl", "-qw", "net.ipv4.ip_forward=1");
        Connect("server", Server, "02:00:00:00:00:01");
        Connect("client", Client, "02:00:00:00:00:02");
    }

    private void Connect(string pod, string address, string mac) =>
        PlainPod.Connect(Namespace("node"), Namespace(pod), pod, address, mac, 1500);

    private Process Spawn(string pod, params string[] role) => PlainPod.Spawn(Namespace(pod), role);

    private string Namespace(string part) => $"ecni-bench-{_name}-{part}";

    private void Inside(params string[] command) => PlainPod.Ip(check: true, ["netns", "exec", Namespace("node"), .. command]);
}

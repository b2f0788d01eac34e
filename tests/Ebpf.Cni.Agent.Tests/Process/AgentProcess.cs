using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>The agent as a process in a node's namespace, with directories of its own. Killed and cleaned up in the end.</summary>
internal sealed class AgentProcess : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly StringBuilder _output = new();
    private System.Diagnostics.Process? _process;

    public AgentProcess()
    {
        Namespace = NetworkNamespace.Create(_directory["node"]);
        File.WriteAllText(_directory["plugin"], "a plugin");
    }

    public NetworkNamespace Namespace { get; }
    public string Bpffs { get; } = $"/sys/fs/bpf/ebc-agent-test-{Guid.NewGuid():N}";

    /// <summary>Where the agent finds its BPF objects.</summary>
    public string ObjectDirectory { get; set; } = Path.GetDirectoryName(Repository.BpfObject("pod"))!;

    /// <summary>What the agent is started by: a program that changes something about itself, and becomes the agent.</summary>
    public string[] Launcher { get; set; } = [];

    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    public string this[string name] => _directory[name];

    /// <param name="kubeconfig">Its text.</param>
    /// <param name="more">Options in pairs of name and value; they replace those of the same name.</param>
    public void Start(string kubeconfig, params string[] more)
    {
        File.WriteAllText(_directory["kubeconfig"], kubeconfig);
        string[] usual = ["--metrics-address", "127.0.0.1:10249", "--healthz-address", "127.0.0.1:10256", .. Arguments];
        Launch(Replaced(usual, more));
    }

    /// <summary>Another agent beside the one that runs, with the same directories and ports of its own, until it ends.</summary>
    /// <returns>Its exit code, and what it said.</returns>
    public (int Code, string Output) StartBeside() =>
        RunBeside(["--metrics-address", "127.0.0.1:10349", "--healthz-address", "127.0.0.1:10356", .. Arguments]);

    /// <summary>"cleanup" with the same directories, until it ends.</summary>
    /// <returns>Its exit code, and what it said.</returns>
    public (int Code, string Output) Cleanup(params string[] more) => RunBeside(["cleanup", .. Replaced(Arguments, more)]);

    /// <summary>With these arguments alone.</summary>
    public void Launch(params string[] arguments)
    {
        var start = Command(arguments);
        // A child inherits the namespace of the thread that starts it.
        _process = Namespace.Run(() => System.Diagnostics.Process.Start(start)!);
        _process.OutputDataReceived += Keep;
        _process.ErrorDataReceived += Keep;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Status and body; 0 while nobody answers.</summary>
    public (int Status, string Body) Get(int port, string path) => Namespace.Run(() =>
    {
        try
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, port);
            client.ReceiveTimeout = 10_000;
            using var stream = client.GetStream();
            stream.Write(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.0\r\n\r\n"));
            using var reader = new StreamReader(stream);
            var answer = reader.ReadToEnd().Split("\r\n\r\n", 2);
            return (int.Parse(answer[0].Split(' ')[1], CultureInfo.InvariantCulture), answer[1]);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return (0, "");
        }
    });

    /// <summary>What the plugin would say for the pod default/p in the namespace <c>pod</c>, and what the agent answers.</summary>
    /// <param name="command">ADD, DEL…</param>
    /// <param name="config">More members of the network configuration, with a comma before.</param>
    public string Cni(string command, string config = "")
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Path.Combine(this["run"], "cni.sock")));
        socket.Send(Encoding.UTF8.GetBytes(
            $$$"""
            {"command":"{{{command}}}","containerId":"c1","netns":"{{{this["pod"]}}}","ifname":"eth0","args":"K8S_POD_NAMESPACE=default;K8S_POD_NAME=p","path":"",
             "config":{"cniVersion":"1.0.0","name":"k8s"{{{config}}}}}
            """));
        socket.Shutdown(SocketShutdown.Send);
        var (answer, buffer) = (new StringBuilder(), new byte[4096]);
        while (socket.Receive(buffer) is > 0 and var read)
            answer.Append(Encoding.UTF8.GetString(buffer, 0, read));
        return answer.ToString();
    }

    public async Task Ready()
    {
        try
        {
            await Eventually.True(() => Get(10256, "/readyz").Status == 200 || _process!.HasExited, "the agent is ready");
            Assert.False(_process!.HasExited, Output);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException(Output, e);
        }
    }

    public void Signal(string name)
    {
        using var kill = System.Diagnostics.Process.Start("kill", [$"-{name}", _process!.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>kill -9, and waits until it is gone.</summary>
    public void Kill()
    {
        Signal("KILL");
        WaitForExit();
    }

    /// <summary>Launches it and waits until it ends, and all that it said is here.</summary>
    public int RunToEnd(params string[] arguments)
    {
        Launch(arguments);
        return WaitForExit();
    }

    public int WaitForExit()
    {
        _process!.WaitForExit();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process?.Dispose();
        Namespace.Dispose();
        NetworkNamespace.Remove(_directory["node"]);
        if (Directory.Exists(Bpffs))
            Directory.Delete(Bpffs, recursive: true);
        _directory.Dispose();
    }

    private string[] Arguments =>
    [
        "--node-name", "n1", "--kubeconfig", _directory["kubeconfig"], "--bpffs-root", Bpffs, "--state-dir", _directory["state"],
        "--run-dir", _directory["run"], "--cni-conf-dir", _directory["net.d"], "--cni-bin-dir", _directory["bin"],
        "--cni-plugin", _directory["plugin"], "--bpf-objects", ObjectDirectory, "--socket-lb", "off",
    ];

    /// <summary>The usual options, but for those that others replace, and the others.</summary>
    private static string[] Replaced(string[] usual, string[] others) =>
        [.. usual.Chunk(2).Where(option => !others.Contains(option[0])).SelectMany(option => option), .. others];

    private (int Code, string Output) RunBeside(string[] arguments)
    {
        using var second = Namespace.Run(() => System.Diagnostics.Process.Start(Command(arguments))!);
        var errors = second.StandardError.ReadToEndAsync();
        var output = second.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        second.WaitForExit();
        return (second.ExitCode, output);
    }

    private ProcessStartInfo Command(string[] arguments)
    {
        string[] command = [.. Launcher, Path.Combine(AppContext.BaseDirectory, "ebpf-cni-agent"), .. arguments];
        return new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
            _output.AppendLine(line.Data);
    }
}

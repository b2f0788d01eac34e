using System.Diagnostics;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>A node's agent: the shipped program, in the node's namespace and below its cgroup, with the arguments of an installation.</summary>
internal sealed class AgentProcess(SandboxPaths paths, string node, NetworkNamespace network, SandboxOptions options) : IDisposable
{
    public const int MetricsPort = 10249;
    public const int HealthPort = 10256;
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(10);
    private readonly HttpClient _http = NamespaceSockets.CreateHttpClient(network);
    private Process? _process;

    public int? Id => _process is { HasExited: false } running ? running.Id : null;

    private NodeDirectories Directories => paths.NodeDirectories(node);

    /// <exception cref="InvalidOperationException">It runs already, or the sandbox was made without artifacts.</exception>
    public void Start()
    {
        if (Id is { } running)
            throw new InvalidOperationException($"the agent of {node} runs already, as process {running}");
        _process?.Dispose();
        _process = NodeProcess.Start(new ProcessPlan(network, Path.Combine(paths.NodeCgroup(node), "agent"), Command())
        {
            LogFile = Directories.AgentLog,
        });
    }

    /// <summary>SIGKILL. An agent that does not run is no error.</summary>
    public async Task KillAsync()
    {
        if (_process is null)
            return;
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM. An agent that does not run is no error.</summary>
    /// <returns>Its exit code; null if none was running.</returns>
    /// <exception cref="TimeoutException">It did not end within 10 s; it has been killed.</exception>
    public async Task<int?> StopAsync()
    {
        if (Id is not { } id)
            return null;
        await NodeProcess.TerminateAsync(id);
        using var over = new CancellationTokenSource(StopPatience);
        try
        {
            await _process!.WaitForExitAsync(over.Token);
            return _process.ExitCode;
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
            throw new TimeoutException($"the agent of {node} did not end within {StopPatience.TotalSeconds:0} s of SIGTERM");
        }
    }

    /// <exception cref="InvalidOperationException">It ended instead; carries the end of its log.</exception>
    public async Task WaitReadyAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20)); // readiness is an answer to a question: nothing to watch
        do
        {
            if (Id is null)
                throw new InvalidOperationException($"the agent of {node} ended{Code()}:\n{LogTail()}");
            if (await IsReadyAsync(ct))
                return;
        }
        while (await timer.WaitForNextTickAsync(ct));
    }

    public Task<string> MetricsAsync(CancellationToken ct) => _http.GetStringAsync(new Uri($"http://127.0.0.1:{MetricsPort}/metrics"), ct);

    public async Task<bool> IsReadyAsync(CancellationToken ct)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri($"http://127.0.0.1:{HealthPort}/readyz"), ct);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>The last lines of the log.</summary>
    public string LogTail(int lines = 20) =>
        File.Exists(Directories.AgentLog) ? string.Join('\n', File.ReadLines(Directories.AgentLog).TakeLast(lines)) : "(no log)";

    public void Dispose()
    {
        _http.Dispose();
        _process?.Dispose();
    }

    private List<string> Command()
    {
        var artifacts = Path.GetFullPath(options.Artifacts ?? throw new InvalidOperationException("the sandbox was made without artifacts: it has no agent to start"));
        return
        [
            Path.Combine(artifacts, "ebpf-cni-agent"),
            "--node-name", node,
            "--kubeconfig", Directories.Kubeconfig,
            "--bpffs-root", paths.NodeBpffs(node),
            "--cgroup-root", paths.NodeCgroup(node),
            "--bpf-objects", Path.Combine(artifacts, "bpf"),
            "--state-dir", Directories.State,
            "--run-dir", Directories.Run,
            "--cni-conf-dir", Directories.CniConfiguration,
            "--cni-bin-dir", Directories.CniBinaries,
            "--cni-plugin", Path.Combine(artifacts, "ebpf-cni"),
            "--metrics-address", $"127.0.0.1:{MetricsPort}",
            "--healthz-address", $"127.0.0.1:{HealthPort}",
            "--log-format", "human",
            .. options.AgentArguments,
        ];
    }

    private string Code() => _process is { HasExited: true } ended ? $" with exit code {ended.ExitCode}" : "";
}

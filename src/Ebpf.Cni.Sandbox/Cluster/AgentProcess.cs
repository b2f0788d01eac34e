using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Kubelet;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>
/// A node's agent: the container of the installation's pod on it. Unlike a kubelet it starts nothing again by itself: when an agent dies
/// and when it comes back is for tests and people to say.
/// </summary>
internal sealed class AgentProcess(SandboxNode node, NodeMounts mounts, SandboxOptions options) : IDisposable
{
    public const int MetricsPort = 10249;
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PodPatience = TimeSpan.FromSeconds(10);

    private readonly HttpClient _http = NamespaceSockets.CreateHttpClient(node.Namespace);
    private readonly SemaphoreSlim _turn = new(1);
    private volatile TaskCompletionSource<DaemonSetPod> _arrival = NewArrival();
    private AgentPodReport? _report;
    private KubeletContext? _context;
    private bool _automatic = options.StartAgents && !options.Install;
    private Process? _process;
    private MountTree? _files;
    private string _retired = "";

    public int? Id => _process is { HasExited: false } running ? running.Id : null;

    /// <summary>From now on the node can have pods.</summary>
    public void Connect(KubeletContext context) => _context = context;

    /// <summary>The node has this pod, or it has changed.</summary>
    public void Present(JsonObject pod)
    {
        if (pod.IsTerminating())
        {
            _ = RetireAsync(pod);
            return;
        }
        if (_arrival.Task.IsCompleted)
            return;
        try
        {
            var artifacts = Path.GetFullPath(options.Artifacts
                ?? throw new InvalidOperationException("the sandbox was made without artifacts: it has no agent to start"));
            var arrived = new DaemonSetPod(_context!, mounts, artifacts, pod);
            _report = new AgentPodReport(_context!, pod);
            _arrival.TrySetResult(arrived);
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException)
        {
            _ = _context!.Events.WarningAsync(pod, "Failed", e.Message);
            _arrival.TrySetException(new InvalidOperationException(e.Message, e));
            return;
        }
        if (_automatic)
            _ = StartAndTellAsync(pod);
    }

    /// <summary>The pod is gone from the API.</summary>
    public void Gone(JsonObject pod) => _ = RetireAsync(pod);

    /// <exception cref="InvalidOperationException">It runs already, or cannot be started as its pod wants it.</exception>
    public async Task StartAsync()
    {
        await _turn.WaitAsync();
        try
        {
            var pod = await ArrivedAsync();
            if (Id is { } running)
                throw new InvalidOperationException($"the agent of {node.Name} runs already, as process {running}");
            await pod.PrepareAsync();
            _files?.Dispose();
            (var plan, _files) = await pod.PlanAsync(pod.Main, options.AgentArguments);
            _process?.Dispose();
            _process = NodeProcess.Start(plan);
            _automatic = true; // a pod that takes this one's place takes over its agent too
            _report?.Follow(_process, pod.Main, IsReadyAsync);
        }
        catch (Exception e) when (e is KernelException or IOException or ContainerConfigurationException)
        {
            throw new InvalidOperationException($"the agent of {node.Name} cannot be started: {e.Message}", e);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>How to run a command beside the agent: with its container's files, environment and rights.</summary>
    /// <exception cref="ApiException">The container does not run.</exception>
    public async Task<ProcessPlan> ExecPlanAsync(ExecRequest request)
    {
        if (Id is null || _files is not { } files || _arrival.Task is not { IsCompletedSuccessfully: true } arrived)
            throw ApiException.BadRequest($"the agent of {node.Name} does not run");
        return (await arrived).ExecPlan(request, files);
    }

    /// <summary>SIGKILL. An agent that does not run is no error.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process)
            return;
        process.Kill();
        await process.WaitForExitAsync();
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
            throw new TimeoutException($"the agent of {node.Name} did not end within {StopPatience.TotalSeconds:0} s of SIGTERM");
        }
    }

    /// <exception cref="InvalidOperationException">It ended instead; carries the end of its log.</exception>
    public async Task WaitReadyAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20)); // readiness is an answer to a question: nothing to watch
        do
        {
            if (Id is null && _turn.CurrentCount > 0)
                throw new InvalidOperationException($"the agent of {node.Name} ended{Code()}:\n{LogTail()}");
            if (await IsReadyAsync(ct))
                return;
        }
        while (await timer.WaitForNextTickAsync(ct));
    }

    public Task<string> MetricsAsync(CancellationToken ct) => _http.GetStringAsync(new Uri($"http://127.0.0.1:{MetricsPort}/metrics"), ct);

    /// <summary>As the readiness probe of its container says.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken ct)
    {
        if (_arrival.Task is not { IsCompletedSuccessfully: true } arrived || Id is null)
            return false;
        var probe = (await arrived).Main.Readiness;
        if (probe is null)
            return true;
        try
        {
            using var answer = await _http.GetAsync(
                new Uri($"http://{probe.Host ?? node.Addresses.V4.ToString()}:{probe.Port}{probe.Path}"), ct);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>The last lines of the log.</summary>
    public string LogTail(int lines = 20) => DaemonSetPod.Tail(node.AgentLog, lines);

    public void Dispose()
    {
        Interlocked.Exchange(ref _report, null)?.Dispose();
        _http.Dispose();
        _process?.Dispose();
        _files?.Dispose();
        _turn.Dispose();
    }

    private async Task<DaemonSetPod> ArrivedAsync()
    {
        try
        {
            return await _arrival.Task.WaitAsync(PodPatience);
        }
        catch (TimeoutException)
        {
            throw new InvalidOperationException($"{node.Name} has got no pod of an installation within {PodPatience.TotalSeconds:0} s");
        }
    }

    private async Task StartAndTellAsync(JsonObject pod)
    {
        try
        {
            await StartAsync();
        }
        catch (InvalidOperationException e)
        {
            await _context!.Events.WarningAsync(pod, "Failed", e.Message);
        }
    }

    // as a kubelet takes down a pod: the agent gets its grace period, and then the object may go
    private async Task RetireAsync(JsonObject pod)
    {
        var arrival = _arrival;
        if (arrival.Task is not { IsCompleted: true })
            return;
        if (arrival.Task.IsCompletedSuccessfully)
        {
            var present = await arrival.Task;
            // it is told of more than once on its way down
            if (present.Object.Uid() != pod.Uid() || Interlocked.Exchange(ref _retired, pod.Uid()) == pod.Uid())
                return;
            await EndAsync(present.Grace);
            Interlocked.Exchange(ref _report, null)?.Dispose();
            present.Forget();
        }
        _arrival = NewArrival();
        try
        {
            await _context!.Api.DeleteAsync(ResourceTypes.Pods, pod.Namespace(), pod.Name(), graceSeconds: 0, uid: pod.Uid());
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException or ApiStatusException)
        {
            // the API goes, or the object has gone already
        }
    }

    private async Task EndAsync(TimeSpan grace)
    {
        if (Id is not { } id)
            return;
        await NodeProcess.TerminateAsync(id);
        using var over = new CancellationTokenSource(grace);
        await _process!.WaitForExitAsync(over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await KillAsync();
    }

    private static TaskCompletionSource<DaemonSetPod> NewArrival() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private string Code() => _process is { HasExited: true } ended ? $" with exit code {ended.ExitCode}" : "";
}

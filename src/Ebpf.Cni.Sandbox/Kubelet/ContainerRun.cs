using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>
/// One container of a pod: starts its command, starts it again when it ends and the pod's restart policy says so, and ends
/// it. Its cgroup is removed after each end, with whatever the command left running.
/// </summary>
internal sealed class ContainerRun(
    KubeletContext node, JsonObject pod, JsonObject container, NetworkNamespace network, PodAddresses addresses, Action onChange)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan GoodRun = TimeSpan.FromMinutes(10);

    private readonly PodBackoff _backoff = new(node.Time, FirstPause, LongestPause);
    private volatile ContainerState _state = new ContainerState.Waiting("ContainerCreating");
    private volatile bool _ready;

    public string Name { get; } = container.Text("name") ?? "";

    public ContainerState State => _state;

    public ContainerState.Terminated? LastTermination { get; private set; }

    public int RestartCount { get; private set; }

    /// <summary>Runs, and its readiness probe (if any) succeeds.</summary>
    public bool Ready => _ready && _state is ContainerState.Running;

    /// <summary>Ended, and will not be started again.</summary>
    public bool Finished { get; private set; }

    /// <summary>How to run a command in the container, which ends with it.</summary>
    /// <exception cref="ContainerConfigurationException">A source of variables that the sandbox does not have.</exception>
    public ProcessPlan ExecPlan(ExecRequest request)
    {
        var environment = ContainerEnvironment.Build(pod, container, addresses);
        if (request.Terminal)
            environment["TERM"] = ContainerEnvironment.TerminalType;
        return new ProcessPlan(network, Cgroup, request.Command)
        {
            Environment = environment,
            WorkingDirectory = container.Text("workingDir") ?? "/",
        };
    }

    private string Cgroup => Path.Combine(node.Paths.PodCgroup(node.Name, pod.Uid()), Name);

    /// <summary>
    /// Until it has ended for good, or <paramref name="stop"/>: then it gets SIGTERM, and SIGKILL after <paramref name="grace"/>.
    /// </summary>
    public async Task RunAsync(Func<TimeSpan> grace, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var ended = await RunOnceAsync(grace, stop);
                if (ended is not null && !Restarts(ended.ExitCode))
                    break;
                if (!stop.IsCancellationRequested)
                    await PauseAsync(ended, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // ended while it waited for its next start
        }
        Finished = true;
        onChange();
    }

    private bool Restarts(int exitCode) => pod.Text("spec", "restartPolicy") switch
    {
        "Never" => false,
        "OnFailure" => exitCode != 0,
        _ => true,
    };

    // null: it could not be started, for a reason that the state tells
    private async Task<ContainerState.Terminated?> RunOnceAsync(Func<TimeSpan> grace, CancellationToken stop)
    {
        Process process;
        try
        {
            process = Start();
        }
        catch (ContainerConfigurationException e)
        {
            Change(new ContainerState.Waiting("CreateContainerConfigError", e.Message));
            return null;
        }
        using (process)
        {
            var since = node.Now();
            var clock = node.Time.GetTimestamp();
            Change(new ContainerState.Running(since));
            _ = node.Events.NormalAsync(pod, "Started", $"Started container {Name}");
            await WithProbeAsync(process, grace, stop);
            await CgroupProcesses.EndAsync(Cgroup);
            var ended = new ContainerState.Terminated(process.ExitCode, since, node.Now());
            _ready = false;
            Change(ended);
            if (node.Time.GetElapsedTime(clock) > GoodRun)
                _backoff.Reset();
            return ended;
        }
    }

    private Process Start()
    {
        var environment = ContainerEnvironment.Build(pod, container, addresses);
        var command = ContainerEnvironment.CommandOf(container, environment);
        var logs = node.LogDirectory(pod.Uid(), Name);
        Directory.CreateDirectory(logs);
        return NodeProcess.Start(new ProcessPlan(network, Cgroup, command)
        {
            Environment = environment,
            WorkingDirectory = container.Text("workingDir") ?? "/",
            LogFile = Path.Combine(logs, RestartCount.ToString(CultureInfo.InvariantCulture) + ".log"),
        });
    }

    private async Task WithProbeAsync(Process process, Func<TimeSpan> grace, CancellationToken stop)
    {
        // not linked to the stop: while a container ends, its readiness says whether it still serves
        using var ended = new CancellationTokenSource();
        var probing = ProbeAsync(ended.Token);
        try
        {
            await process.WaitForExitAsync(stop);
        }
        catch (OperationCanceledException)
        {
            await StopAsync(process, grace());
        }
        await ended.CancelAsync();
        await probing;
    }

    private async Task StopAsync(Process process, TimeSpan grace)
    {
        if (grace > TimeSpan.Zero)
            await NodeProcess.TerminateAsync(process.Id);
        using var over = new CancellationTokenSource(grace, node.Time);
        try
        {
            await process.WaitForExitAsync(over.Token);
        }
        catch (OperationCanceledException)
        {
            CgroupProcesses.Kill(Cgroup);
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    private async Task ProbeAsync(CancellationToken ct)
    {
        if (container["readinessProbe"] is not JsonObject specification)
        {
            SetReady(true);
            return;
        }
        var probe = new ReadinessProbe(node, specification, container, addresses, network, Cgroup);
        await probe.RunAsync(SetReady, message => node.Events.WarningAsync(pod, "Unhealthy", message), ct);
    }

    private async Task PauseAsync(ContainerState.Terminated? ended, CancellationToken stop)
    {
        if (ended is not null)
        {
            LastTermination = ended;
            _ = node.Events.WarningAsync(pod, "BackOff", $"Back-off restarting container {Name}: exit code {ended.ExitCode}");
            Change(new ContainerState.Waiting("CrashLoopBackOff", $"starts again in {_backoff.Next.TotalSeconds:0} s"));
        }
        await _backoff.WaitAsync(stop);
        RestartCount += ended is null ? 0 : 1;
    }

    private void SetReady(bool ready)
    {
        if (_ready == ready)
            return;
        _ready = ready;
        onChange();
    }

    private void Change(ContainerState state)
    {
        _state = state;
        onChange();
    }
}

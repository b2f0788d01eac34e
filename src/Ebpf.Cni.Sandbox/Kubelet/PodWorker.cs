using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>The life of one pod on its node: network, containers, status, and the way down.</summary>
internal sealed class PodWorker : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    private readonly KubeletContext _node;
    private readonly Func<CancellationToken, Task<CniConfiguration>> _networkReady;
    private readonly CancellationTokenSource _stop;
    private readonly StatusPublisher _publisher;
    private volatile JsonObject _pod;
    private volatile PodNetwork? _network;
    private volatile IReadOnlyList<ContainerRun> _containers = [];
    private volatile bool _gone;

    /// <param name="networkReady">Completes once the node has a network configuration.</param>
    /// <param name="shutdown">The node goes down: stop at once, and leave the API alone.</param>
    public PodWorker(
        KubeletContext node, JsonObject pod, Func<CancellationToken, Task<CniConfiguration>> networkReady, CancellationToken shutdown)
    {
        _node = node;
        _pod = pod;
        _networkReady = networkReady;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(shutdown);
        _publisher = new StatusPublisher(node, () => PodStatus.Build(_pod, _network?.Addresses, _containers, node), () => _pod);
        Completion = Task.Run(() => ReportAsync(() => RunAsync(shutdown)), CancellationToken.None);
    }

    /// <summary>Ends when nothing of the pod is left on the node.</summary>
    public Task Completion { get; }

    public void Update(JsonObject pod)
    {
        _pod = pod;
        if (pod.IsTerminating())
            Stop();
    }

    /// <summary>The object is gone already: deleted by force.</summary>
    public void Gone()
    {
        _gone = true;
        Stop();
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Whether the container will write no more to its log.</summary>
    public bool IsFinished(string container) =>
        _containers.FirstOrDefault(run => run.Name == container)?.Finished ?? Completion.IsCompleted;

    /// <summary>How to run a command in one of the containers.</summary>
    /// <exception cref="ApiException">It does not run.</exception>
    public ProcessPlan ExecPlan(ExecRequest request)
    {
        var run = _containers.FirstOrDefault(run => run.Name == request.Container && run.State is ContainerState.Running);
        return run?.ExecPlan(request) ?? throw ApiException.BadRequest($"container {request.Container} of pod {_pod.Name()} does not run");
    }

    /// <summary>The pod's network namespace.</summary>
    /// <exception cref="ApiException">It has none yet, or no longer.</exception>
    public NetworkNamespace Namespace => _network?.Namespace ?? throw ApiException.BadRequest($"pod {_pod.Name()} has no network");

    private void Stop()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // it has come to its end meanwhile
        }
    }

    private async Task ReportAsync(Func<Task> life)
    {
        try
        {
            await life();
        }
        catch (Exception e)
        {
            await _node.Events.WarningAsync(_pod, "FailedSync", e.Message);
            throw; // the kubelet's end tells it again
        }
    }

    private async Task RunAsync(CancellationToken shutdown)
    {
        using var publishing = CancellationTokenSource.CreateLinkedTokenSource(shutdown);
        var publisher = _publisher.RunAsync(publishing.Token);
        try
        {
            _publisher.Touch();
            _network = await ConnectAsync(_stop.Token);
            await RunContainersAsync(_network, shutdown);
            await StopNetworkAsync(); // a completed pod keeps no address
            _publisher.Touch();
            await Task.Delay(Timeout.Infinite, _stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // to be taken down: below
        }
        await StopNetworkAsync();
        await CgroupProcesses.EndAsync(_node.Paths.PodCgroup(_node.Name, _pod.Uid()));
        await publishing.CancelAsync();
        await publisher;
        if (!shutdown.IsCancellationRequested)
            await ForgetAsync(shutdown);
    }

    private async Task<PodNetwork> ConnectAsync(CancellationToken ct)
    {
        if (_pod.Flag("spec", "hostNetwork") == true)
            return PodNetwork.OfNode(_node);
        var backoff = new PodBackoff(_node.Time, FirstPause, LongestPause);
        while (true)
        {
            try
            {
                return await PodNetwork.CreateAsync(_node, await _networkReady(ct), _pod, ct);
            }
            catch (Exception e) when (e is CniPluginException or KernelException or FormatException or IOException)
            {
                await _node.Events.WarningAsync(_pod, "FailedCreatePodSandBox", $"Failed to create pod sandbox: {e.Message}");
                await backoff.WaitAsync(ct);
            }
        }
    }

    private async Task RunContainersAsync(PodNetwork network, CancellationToken shutdown)
    {
        _containers = [.. _pod.Containers()
            .Select(container => new ContainerRun(_node, _pod, container, network.Namespace, network.Addresses, _publisher.Touch))];
        await Task.WhenAll(_containers.Select(run => run.RunAsync(() => Grace(shutdown), _stop.Token)));
    }

    private TimeSpan Grace(CancellationToken shutdown) => _gone || shutdown.IsCancellationRequested
        ? TimeSpan.Zero
        : TimeSpan.FromSeconds(_pod.Number("metadata", "deletionGracePeriodSeconds") ?? 30);

    private async Task StopNetworkAsync()
    {
        if (_network is null)
            return;
        if (await _network.RemoveAsync() is { } complaint)
            await _node.Events.WarningAsync(_pod, "FailedKillPodSandBox", complaint);
        _network = null;
    }

    /// <summary>Nothing runs any more: the object may go, and its logs with it.</summary>
    private async Task ForgetAsync(CancellationToken shutdown)
    {
        var logs = _node.PodLogDirectory(_pod.Uid());
        if (Directory.Exists(logs))
            Directory.Delete(logs, recursive: true);
        var backoff = new PodBackoff(_node.Time, FirstPause, LongestPause);
        while (!_gone && !shutdown.IsCancellationRequested)
        {
            try
            {
                await _node.Api.DeleteAsync(ResourceTypes.Pods, _pod.Namespace(), _pod.Name(), graceSeconds: 0, uid: _pod.Uid(),
                    ct: shutdown);
                return;
            }
            catch (ApiStatusException e) when (e.Code == System.Net.HttpStatusCode.Conflict)
            {
                return; // another pod has the name now
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or ApiStatusException)
            {
                await backoff.WaitAsync(shutdown).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (shutdown.IsCancellationRequested)
            {
                return; // the node goes, and the API with it
            }
        }
    }
}

using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>
/// What runs pods on a node: registers the node, watches the pods bound to it, and gives each a <see cref="PodWorker"/>. A
/// client of the API like any other. Images are not read: commands are programs of this machine; volumes are not mounted.
/// </summary>
internal sealed class NodeKubelet : IAsyncDisposable
{
    private readonly KubeletContext _node;
    private readonly NodeRegistration _registration;
    private readonly CancellationTokenSource _shutdown = new();
    private readonly ConcurrentDictionary<string, PodWorker> _pods = new();
    private readonly ConcurrentDictionary<string, byte> _system = new();
    private readonly Task _loops;

    private NodeKubelet(KubeletContext node)
    {
        _node = node;
        _registration = new NodeRegistration(node);
        _loops = Task.WhenAll(_registration.RunAsync(_shutdown.Token), FollowAsync(_shutdown.Token));
    }

    public static NodeKubelet Start(KubeletContext node) => new(node);

    public string NodeName => _node.Name;

    /// <summary>The directory of a container's logs, and whether more will come.</summary>
    public (string Directory, Func<bool> Finished) LogsOf(JsonObject pod, string container) =>
        (_node.LogDirectory(pod.Uid(), container), () => _system.ContainsKey(pod.Uid())
            ? pod.Items("spec", "initContainers").Any(c => c.Text("name") == container)
            : !_pods.TryGetValue(pod.Uid(), out var worker) || worker.IsFinished(container));

    /// <summary>How to run a command in a container of one of the node's pods.</summary>
    /// <exception cref="ApiException">It does not run.</exception>
    public async Task<ProcessPlan> ExecPlanAsync(JsonObject pod, ExecRequest request) =>
        _system.ContainsKey(pod.Uid()) ? await _node.System!.ExecPlanAsync(request) : Worker(pod).ExecPlan(request);

    /// <summary>The network namespace of one of the node's pods.</summary>
    /// <exception cref="ApiException">It has none yet, or no longer.</exception>
    public NetworkNamespace NamespaceOf(JsonObject pod) => _system.ContainsKey(pod.Uid()) ? _node.Namespace : Worker(pod).Namespace;

    /// <summary>Ends every pod at once; the API is not told.</summary>
    public async ValueTask DisposeAsync()
    {
        await _shutdown.CancelAsync();
        try
        {
            await _loops;
        }
        catch (OperationCanceledException)
        {
            // as asked
        }
        await Task.WhenAll(_pods.Values.Select(worker => worker.Completion));
        foreach (var worker in _pods.Values)
            worker.Dispose();
        _registration.Dispose();
        _shutdown.Dispose();
    }

    private Task FollowAsync(CancellationToken ct)
    {
        var follower = new ObjectFollower(_node.Api, ResourceTypes.Pods, fields: "spec.nodeName=" + _node.Name);
        return follower.RunAsync(Present, Gone, ct);
    }

    private PodWorker Worker(JsonObject pod) =>
        _pods.GetValueOrDefault(pod.Uid()) ?? throw ApiException.BadRequest($"pod {pod.Name()} does not run on {NodeName}");

    private void Present(JsonObject pod)
    {
        if (_node.System is { } system && system.IsThis(pod))
        {
            _system[pod.Uid()] = 0;
            system.Present(pod);
            return;
        }
        if (_pods.TryGetValue(pod.Uid(), out var known))
        {
            known.Update(pod);
            return;
        }
        var worker = new PodWorker(_node, pod, _registration.NetworkAsync, _shutdown.Token);
        _pods[pod.Uid()] = worker;
        worker.Update(pod);
    }

    private void Gone(JsonObject pod)
    {
        if (_system.TryRemove(pod.Uid(), out _))
            _node.System!.Gone(pod);
        if (!_pods.TryGetValue(pod.Uid(), out var known))
            return;
        known.Gone();
        _ = ForgetAsync(pod.Uid(), known);
    }

    // not before the object is seen to be gone: an older event, still on its way, would give a dead pod a new worker
    private async Task ForgetAsync(string uid, PodWorker worker)
    {
        await worker.Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (worker.Completion.IsCompletedSuccessfully && !_shutdown.IsCancellationRequested && _pods.TryRemove(uid, out _))
            worker.Dispose();
    }
}

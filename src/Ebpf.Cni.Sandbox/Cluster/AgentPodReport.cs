using System.Diagnostics;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Install;
using Ebpf.Cni.Sandbox.Kubelet;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>Tells the API how an installation's pod is: whether its agent runs, and whether it has become ready.</summary>
internal sealed class AgentPodReport : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(100);
    private readonly KubeletContext _node;
    private readonly JsonObject _pod;
    private readonly StatusPublisher _publisher;
    private readonly CancellationTokenSource _stop = new();
    private volatile ContainerState _state = new ContainerState.Waiting("PodInitializing");
    private volatile bool _ready;
    private int _starts;

    public AgentPodReport(KubeletContext node, JsonObject pod)
    {
        (_node, _pod) = (node, pod);
        _publisher = new StatusPublisher(node, Status, () => pod);
        _ = _publisher.RunAsync(_stop.Token);
        _publisher.Touch();
    }

    /// <summary>A container has been started.</summary>
    public void Follow(Process process, ContainerPlan container, Func<CancellationToken, Task<bool>> isReady)
    {
        _starts++;
        Change(new ContainerState.Running(_node.Now()), false);
        _ = _node.Events.NormalAsync(_pod, "Started", $"Started container {container.Name}");
        _ = FollowAsync(process, _node.Now(), isReady);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    private async Task FollowAsync(Process process, string since, Func<CancellationToken, Task<bool>> isReady)
    {
        try
        {
            var stop = _stop.Token;
            using var timer = new PeriodicTimer(Period);
            while (!process.HasExited && !await isReady(stop))
                await timer.WaitForNextTickAsync(stop);
            if (!process.HasExited)
                Change(_state, true);
            await process.WaitForExitAsync(stop);
            Change(new ContainerState.Terminated(process.ExitCode, since, _node.Now()), false);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // the pod is taken down, or the process is another one now
        }
    }

    private void Change(ContainerState state, bool ready)
    {
        (_state, _ready) = (state, ready);
        _publisher.Touch();
    }

    private JsonObject Status()
    {
        var now = _node.Now();
        var addresses = _node.HostAddresses.Select(a => (JsonNode)new JsonObject { ["ip"] = a.ToString() }).ToJsonArray();
        var container = _pod.Items("spec", "containers").First();
        return new JsonObject
        {
            ["phase"] = _state is ContainerState.Waiting ? "Pending" : "Running",
            ["startTime"] = _pod.Text("metadata", "creationTimestamp"),
            ["hostIP"] = _node.HostAddresses[0].ToString(),
            ["hostIPs"] = addresses,
            ["podIP"] = _node.HostAddresses[0].ToString(),
            ["podIPs"] = addresses.DeepClone(),
            ["conditions"] = ((string[])["Initialized", "ContainersReady", "Ready", "PodScheduled"]).Select(type => (JsonNode)new JsonObject
            {
                ["type"] = type,
                ["status"] = type is "PodScheduled" || (type is "Initialized" ? _state is not ContainerState.Waiting : _ready)
                ? "True" : "False",
                ["lastTransitionTime"] = now,
            }).ToJsonArray(),
            ["containerStatuses"] = new JsonArray(new JsonObject
            {
                ["name"] = container.Text("name"),
                ["image"] = container.Text("image") ?? "",
                ["imageID"] = "",
                ["restartCount"] = Math.Max(0, _starts - 1),
                ["ready"] = _ready,
                ["started"] = _state is ContainerState.Running,
                ["state"] = _state.ToJson(),
                ["lastState"] = new JsonObject(),
            }),
        };
    }
}

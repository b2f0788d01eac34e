using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Agent.Pods;

/// <summary>Reports refusals with a cause on the node, not in the pod, as Events of the Node: no free address, a full table.</summary>
public sealed class CniRefusals(IssueEvents events, SnapshotStore store, AgentOptions options)
{
    /// <summary>Handles a request and passes its failure on.</summary>
    public async Task<byte[]> Watch(Func<CniRequest, CancellationToken, Task<byte[]>> handle, CniRequest request, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(handle);
        try
        {
            return await handle(request, cancel);
        }
        catch (CniException e)
        {
            var uid = store.Current.Nodes.TryGetValue(options.NodeName, out var node) ? node.Uid : "";
            if (IssueOf(e, options.NodeName, uid) is { } issue)
                events.Report([issue]);
            throw;
        }
    }

    /// <summary>Null when the failure says nothing about the node.</summary>
    internal static CompileIssue? IssueOf(CniException e, string node, string uid) => e switch
    {
        { Code: CniErrorCode.AddressesExhausted } =>
            new("Node", new ObjectName("", node), uid, "PodAddressesExhausted", $"A pod cannot be started: {e.Message}."),
        { InnerException: DataplaneException full } =>
            new("Node", new ObjectName("", node), uid, "TableFull", $"A pod cannot be started: {full.Message}"),
        _ => null,
    };
}

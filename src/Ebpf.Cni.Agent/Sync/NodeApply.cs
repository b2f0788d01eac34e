using System.Collections.Immutable;
using Ebpf.Cni.Agent.Health;
using Ebpf.Cni.Agent.Node;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kubernetes;

namespace Ebpf.Cni.Agent.Sync;

/// <summary>What a part of an apply did.</summary>
/// <param name="WritesByKind">Writes to the kernel, by the metric's label.</param>
/// <param name="Errors">Writes that failed.</param>
/// <param name="Issues">What is told about them.</param>
public sealed record NodeApplyResult(ImmutableArray<(string Kind, int Count)> WritesByKind, int Errors, ImmutableArray<CompileIssue> Issues)
{
    public int Writes => WritesByKind.Sum(w => w.Count);

    /// <summary>It is to be tried again.</summary>
    public bool Owed => Errors > 0;
}

/// <summary>
/// What an apply does beside the service tables. What fails here is an issue that is tried again, not ill health: one node with an address out of
/// reach, or one port that somebody has, must not take everything else out of service.
/// </summary>
public sealed class NodeApply(HealthCheckPorts healthChecks, SnapshotStore store, AgentOptions options)
{
    public void Verify()
    {
    }

    /// <summary>What packets of services need on their way.</summary>
    public NodeApplyResult BeforeServices(NodeDataplane dataplane, NodeView view, DesiredState desired)
    {
        var parts = new Parts(this);
        return parts.Result();
    }

    /// <summary>What leads others here: they should find what they come for.</summary>
    public NodeApplyResult AfterServices(NodeDataplane dataplane, DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(dataplane);
        ArgumentNullException.ThrowIfNull(desired);
        var parts = new Parts(this);
        parts.Do("route", "RouteFailed", "bringing the routes up to date", () =>
        {
            var routes = dataplane.Routes.Apply(desired.Routes);
            return (routes.Replaced + routes.Deleted, routes.Errors);
        });
        foreach (var (check, cause) in healthChecks.Apply(desired.HealthChecks))
        {
            parts.Fail(new CompileIssue(
                "Service", check.Service, store.Current.Services.GetValueOrDefault(check.Service)?.Uid ?? "", "HealthCheckFailed",
                $"Health check node port {check.Port} cannot be opened on {options.NodeName}: {cause}; load balancers take this node for dead. It is tried again."));
        }

        return parts.Result();
    }

    private CompileIssue OfThisNode(string reason, string message) => new(
        "Node", new ObjectName("", options.NodeName), store.Current.Nodes.GetValueOrDefault(options.NodeName)?.Uid ?? "", reason, message);

    /// <summary>Collects what the parts did.</summary>
    private sealed class Parts(NodeApply owner)
    {
        private readonly ImmutableArray<(string, int)>.Builder _writes = ImmutableArray.CreateBuilder<(string, int)>();
        private readonly ImmutableArray<CompileIssue>.Builder _issues = ImmutableArray.CreateBuilder<CompileIssue>();

        public void Do(string kind, string reason, string what, Func<(int Writes, ImmutableArray<ApplyError> Errors)> part)
        {
            try
            {
                var (writes, errors) = part();
                _writes.Add((kind, writes));
                foreach (var error in errors)
                    Fail(owner.OfThisNode(reason, $"{error}; it is tried again."));
            }
            catch (Exception e) when (e is KernelException or NetlinkFormatException or DataplaneException)
            {
                Fail(owner.OfThisNode(reason, $"{what}: {e.Message}; it is tried again."));
            }
        }

        public void Fail(CompileIssue issue) => _issues.Add(issue);

        public NodeApplyResult Result() => new(_writes.ToImmutable(), _issues.Count, _issues.ToImmutable());
    }
}

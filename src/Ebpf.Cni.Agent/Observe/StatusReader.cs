using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Aggregates component status. Answers also while nothing is ready.</summary>
public sealed class StatusReader(
    AgentOptions options, DataplaneHolder holder, SyncStatusReader sync, NetworkStatusReader network, AppliedState applied,
    IssueReport issues,
    RecentErrors errors, TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();

    public StatusAnswer Read()
    {
        var dataplane = holder.Opened.IsCompletedSuccessfully ? holder.Opened.Result : null;
        var answer = new StatusAnswer
        {
            Version = AgentVersion.Text,
            Kernel = AgentVersion.KernelRelease(),
            Node = options.NodeName,
            UptimeSeconds = Math.Round(time.GetElapsedTime(_started).TotalSeconds, 1),
            Ready = sync.Ready,
            NotReady = [.. sync.NotReady(dataplane is not null)],
            Mode = ModeOf(options),
            Network = network.Read(),
            Sync = sync.Read(),
            Issues = [.. issues.Current.Select(Issue)],
            Errors = errors.All,
        };
        return dataplane is null ? answer : WithKernel(answer, dataplane);
    }

    internal static IssueStatus Issue(CompileIssue issue) => new(issue.Kind, issue.Name.ToString(), issue.Reason, issue.Message);

    internal static ModeStatus ModeOf(AgentOptions options) => new()
    {
        Cni = OptionText(options.CniMode),
        SocketLb = OptionText(options.SocketLb),
        Routing = OptionText(options.EffectiveRouting),
        Masquerade = options.MasqueradesPods,
        ExternalSource = OptionText(options.ExternalSource),
        PodAttachment = OptionText(options.PodAttachment),
    };

    /// <summary>Frontends that lead to backends, and what they share; reject entries do not count.</summary>
    internal static CountStatus Counts(
        IReadOnlyList<KeyValuePair<SvcKey, Svc>> kernel, IReadOnlyDictionary<uint, ServicePortName> names, int endpoints, int connections)
    {
        var frontends = kernel.Where(e => !ServiceListing.IsRejectEntry(e.Key, e.Value)).ToList();
        var ids = frontends.Select(f => f.Value.ServiceId).ToHashSet();
        return new CountStatus
        {
            Services = ids.Select(id => names.TryGetValue(id, out var name) ? name.Service.ToString() : $"{id}").Distinct().Count(),
            ServicePorts = ids.Count,
            Frontends = frontends.Count,
            Backends = (int)frontends.Select(f => (f.Value.Offset, Size: f.Value.Count + f.Value.Tail)).Distinct().Sum(s => s.Size),
            Endpoints = endpoints,
            Connections = connections,
        };
    }

    internal static IEnumerable<DropStatus> Drops(IEnumerable<CounterReading> readings) => readings
        .Where(r => r.IsDrop && r.Packets > 0).OrderByDescending(r => r.Packets)
        .Select(r => new DropStatus(LabelText.Snake(r.Reason), LabelText.Snake(r.Hook), r.Packets));

    private StatusAnswer WithKernel(StatusAnswer answer, NodeDataplane dataplane)
    {
        // Counted now, which the table's usage below takes over: a status that lags behind a listing would only confuse.
        var connections = dataplane.Conntrack.List(0, (_, _) => true).Matching;
        return answer with
        {
            // Of a pod that comes now.
            Mode = answer.Mode with { PodAttachment = OptionText(Attachment(dataplane)) },
            Features = [.. dataplane.Features.Findings.Select(f => new FeatureStatus(f.Name, f.Present, f.AbsenceCosts))],
            Notices = dataplane.Notices,
            Tables = [.. dataplane.Usage().Select(u => new TableStatus(u.Table, u.Entries, u.Size))],
            Drops = [.. Drops(dataplane.Counters.Read())],
            Counts = Counts(dataplane.Services.ReadFrontends(), applied.Names, dataplane.Endpoints.List().Length, connections),
        };
    }

    private PodAttachment Attachment(NodeDataplane dataplane)
    {
        var choice = new AttachmentChoice(options.PodAttachment, options.CniMode == CniMode.Chained, options.CniConfDir);
        return dataplane.Features.Tcx && choice.Links() ? PodAttachment.Tcx : PodAttachment.Clsact;
    }

    /// <summary>HostOnly → hostOnly, as options are written.</summary>
    private static string OptionText<T>(T value) where T : struct, Enum
    {
        var text = value.ToString();
        return char.ToLowerInvariant(text[0]) + text[1..];
    }
}

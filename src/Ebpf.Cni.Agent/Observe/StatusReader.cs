using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Aggregates component status. Answers also while nothing is ready.</summary>
public sealed class StatusReader(
    AgentOptions options, SyncStatus sync, DataplaneHolder holder, NodeState node, PodMtu mtu, EndpointStore addresses, ClusterWatcher watcher, AppliedState applied,
    IssueReport issues, RecentErrors errors, TimeProvider time)
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
            Ready = sync.Ready && sync.Healthy,
            NotReady = [.. NotReady(sync, dataplane is not null)],
            Mode = ModeOf(options),
            Network = Network(),
            Sync = Sync(),
            Issues = [.. issues.Current.Select(Issue)],
            Errors = errors.All,
        };
        return dataplane is null ? answer : WithKernel(answer, dataplane);
    }

    internal static IssueStatus Issue(CompileIssue issue) => new(issue.Kind, issue.Name.ToString(), issue.Reason, issue.Message);

    internal static IEnumerable<string> NotReady(SyncStatus sync, bool open)
    {
        if (!open)
            yield return "the kernel's programs and tables are not open yet";
        if (!sync.FirstSync.IsCompleted)
            yield return "the cluster was not applied to the kernel yet";
        if (!sync.CniServing.IsCompleted)
            yield return "CNI requests are not served yet";
        if (sync.Hangs)
            yield return "the sync loop hangs in the kernel: its pass does not end";
        else if (!sync.Healthy)
            yield return "a change waits for too long to get into the kernel";
    }

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
            Mode = answer.Mode with { PodAttachment = OptionText(dataplane.Features.Tcx && new AttachmentChoice(options.PodAttachment, options.CniMode == CniMode.Chained, options.CniConfDir).Links() ? PodAttachment.Tcx : PodAttachment.Clsact) },
            Features = [.. dataplane.Features.Findings.Select(f => new FeatureStatus(f.Name, f.Present, f.AbsenceCosts))],
            Notices = dataplane.Notices,
            Tables = [.. dataplane.Usage().Select(u => new TableStatus(u.Table, u.Entries, u.Size))],
            Drops = [.. Drops(dataplane.Counters.Read())],
            Counts = Counts(dataplane.Services.ReadFrontends(), applied.Names, dataplane.Endpoints.List().Length, connections),
        };
    }

    private NetworkStatus Network()
    {
        var (state, view) = node.Seen;
        var network = view?.Network;
        var resting = addresses.AtRest.ToDictionary(r => r.Family, r => r.Resting);
        var desired = applied.Current;
        return new NetworkStatus
        {
            Addresses = [.. new[] { network?.V4, network?.V6 }.OfType<Addr>().Select(a => a.ToString())],
            PodCidrs = [.. addresses.Ranges.Select(r => r.ToString())],
            PodAddresses =
            [
                .. addresses.Usage.Select(u => new AddressUse(
                    u.Family == System.Net.Sockets.AddressFamily.InterNetwork ? "ipv4" : "ipv6", u.InUse, resting.GetValueOrDefault(u.Family), u.Capacity)),
            ],
            Uplinks =
            [
                .. (network?.Uplinks ?? []).Select(u => new UplinkStatus(
                    u.Name, state.Links.FirstOrDefault(l => l.Index == u.Ifindex)?.Mtu ?? 0, u.V4?.ToString(), u.V6?.ToString())),
            ],
            Unfit = [.. (network?.Unfit ?? []).Select(u => $"{u.Name} {u.Cause}")],
            PodMtu = options.CniMode == CniMode.Full ? Mtu() : 0,
            Tunnel = state.TunnelDevice == 0 ? null : Dataplane.Overlay.OverlayOptions.DeviceName,
            DirectPeers = desired.Routes.Where(r => r.Gateway is not null).Select(r => r.Node).Distinct().Count(),
            TunnelPeers = desired.Routes.Where(r => r.Gateway is null).Select(r => r.Node).Distinct().Count(),
        };
    }

    private int Mtu()
    {
        try
        {
            return mtu.Value;
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            return 0;
        }
    }

    private SyncAnswer Sync()
    {
        var last = sync.LastApplied;
        return new SyncAnswer
        {
            First = sync.FirstSync.IsCompleted,
            LastApplied = last,
            SinceSeconds = last is { } at ? Math.Round((time.GetUtcNow() - at).TotalSeconds, 1) : null,
            WaitingSeconds = sync.Waiting is { } waiting ? Math.Round(waiting.TotalSeconds, 1) : null,
            Watches = [.. watcher.States.Select(s => new WatchStatus(s.Kind, s.Connected, s.Synced, s.Objects, s.LastError))],
        };
    }

    /// <summary>HostOnly → hostOnly, as options are written.</summary>
    private static string OptionText<T>(T value) where T : struct, Enum
    {
        var text = value.ToString();
        return char.ToLowerInvariant(text[0]) + text[1..];
    }
}

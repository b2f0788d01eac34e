using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Claims;

/// <summary>The issue of an owner whose ports lost claims.</summary>
internal static class ClaimConflict
{
    /// <summary>
    /// The first claim that does not hold, in the order of keys, and how many more; null if all hold. What
    /// NodePorts and hostPorts lose at a cluster IP is reported only for a hostPort that asked for that very address.
    /// </summary>
    public static CompileIssue? Of(ClaimOwner owner, ClaimTable claims)
    {
        List<(CompiledFrontend Frontend, PortSlot Slot)>? lost = null;
        foreach (var slot in owner.Ports)
            foreach (var frontend in slot.Compiled!.Frontends)
                if (!claims.Holds(slot, frontend)
                    && (!claims.IsAtClusterIP(frontend) || HostPortCompiler.AskedFor(slot.Name.Port, frontend.Key.Addr)))
                    (lost ??= []).Add((frontend, slot));
        if (lost is null)
            return null;
        lost.Sort(static (a, b) =>
        {
            var c = a.Frontend.Key.CompareTo(b.Frontend.Key);
            if (c == 0)
                c = a.Frontend.Kind.CompareTo(b.Frontend.Kind);
            return c != 0 ? c : a.Slot.Name.CompareTo(b.Slot.Name);
        });
        var (first, port) = lost[0];
        var found = new IssueCollector(owner.Kind, owner.Name, port.Compiled!.Uid);
        foreach (var _ in lost)
            found.Add(IssueReason.FrontendConflict,
                $"port {IssueCollector.Quote(port.Name.Port)} cannot use {Wanted(first)}, "
                + $"taken by {IssueCollector.Quote(Shown(claims.WinnerOver(first).Name))}; it is not served there");
        var issues = new List<CompileIssue>(1);
        found.MoveTo(issues);
        return issues[0];
    }

    private static string Wanted(in CompiledFrontend frontend) => frontend switch
    {
        { Flags: SvcFlags.Address } => $"the cluster IP {frontend.Key.Addr}",
        { Kind: FrontendKind.NodePort } => $"the node port {frontend.Key.Port}/{ProtocolText.Of(frontend.Key.Proto)}",
        { Key: { Addr: { IsIPv4: true } address } key } => $"{address}:{key.Port}/{ProtocolText.Of(key.Proto)}",
        _ => $"[{frontend.Key.Addr}]:{frontend.Key.Port}/{ProtocolText.Of(frontend.Key.Proto)}",
    };

    private static string Shown(in ServicePortName port) =>
        $"{port.Service}{(string.IsNullOrEmpty(port.Port) ? "" : ":" + port.Port)}/{ProtocolText.Of(port.Protocol)}";
}

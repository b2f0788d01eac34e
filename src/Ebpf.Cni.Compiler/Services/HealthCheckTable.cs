using System.Collections.Immutable;
using System.Globalization;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// Which health checks hold: a port answers for the first service, by name, that has it. Kept up to date service by service.
/// </summary>
internal sealed class HealthCheckTable(IssueTable issues)
{
    private readonly Dictionary<ushort, SortedDictionary<ObjectName, (DesiredHealthCheck Check, string Uid)>> _byPort = [];
    private readonly Dictionary<ObjectName, CompileIssue> _conflicts = [];
    private readonly HashSet<ushort> _touched = [];
    private readonly HashSet<ObjectName> _services = [];
    private ImmutableSortedDictionary<ObjectName, DesiredHealthCheck> _held =
        ImmutableSortedDictionary<ObjectName, DesiredHealthCheck>.Empty;

    /// <summary>A service has another check than before, or one with another uid.</summary>
    public void Put(ObjectName service, DesiredHealthCheck? before, DesiredHealthCheck? after, string uid)
    {
        if (before is not null)
        {
            _touched.Add(before.Port);
            _services.Add(service);
            _byPort[before.Port].Remove(service);
        }
        if (after is null)
            return;
        _touched.Add(after.Port);
        if (!_byPort.TryGetValue(after.Port, out var claimants))
            _byPort.Add(after.Port, claimants = []);
        claimants[service] = (after, uid);
    }

    /// <returns>The checks that hold; and how they differ from those before, null if they do not.</returns>
    public (ImmutableSortedDictionary<ObjectName, DesiredHealthCheck> Held, KeyedChanges<ObjectName, DesiredHealthCheck>? Changes) Settle()
    {
        if (_touched.Count == 0)
            return (_held, null);
        foreach (var port in _touched)
            if (_byPort.TryGetValue(port, out var claimants))
                _services.UnionWith(claimants.Keys);
        var (before, held) = (_held, _held.ToBuilder());
        foreach (var service in _services)
        {
            held.Remove(service);
            if (_conflicts.Remove(service, out var over))
                issues.Remove(over);
        }
        foreach (var port in _touched)
            Resolve(port, before, held);
        _touched.Clear();
        _held = held.ToImmutable();
        var changes = new KeyedChanges<ObjectName, DesiredHealthCheck>(before, [.. _services]);
        _services.Clear();
        return (_held, changes);
    }

    private void Resolve(
        ushort port,
        ImmutableSortedDictionary<ObjectName, DesiredHealthCheck> before,
        ImmutableSortedDictionary<ObjectName, DesiredHealthCheck>.Builder held)
    {
        if (!_byPort.TryGetValue(port, out var claimants))
            return;
        ObjectName? owner = null;
        foreach (var (service, (check, uid)) in claimants)
        {
            if (owner is not { } first)
            {
                owner = service;
                held[service] = before.TryGetValue(service, out var known) && known == check ? known : check;
                continue;
            }
            var conflict = new CompileIssue(
                "Service", service, uid, IssueReason.HealthCheckPortConflict, string.Create(CultureInfo.InvariantCulture,
                    $"health check node port {port} is used by {IssueCollector.Quote(first.ToString())}; not answered for this Service"));
            _conflicts[service] = conflict;
            issues.Add(conflict);
        }
        if (claimants.Count == 0)
            _byPort.Remove(port);
    }
}

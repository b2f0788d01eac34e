using Ebpf.Cni.Compiler.Claims;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Tables;

/// <summary>Stage 2: all services as compiled, kept up to date service by service.</summary>
internal sealed class ServiceTable(PortTable ports, HealthCheckTable checks, IssueTable issues)
{
    private readonly Dictionary<ObjectName, Entry> _entries = [];
    private readonly List<EndpointChoice.Candidate> _scratch = [];

    /// <summary>What services see of their node is different: each service is compiled again when it is put next.</summary>
    public void Outdate()
    {
        foreach (var entry in _entries.Values)
            entry.IsOutdated = true;
    }

    /// <summary>A service, or its slices, may be others than before; null: it is no more.</summary>
    public void Put(ObjectName name, ServiceSnapshot? service, ServiceSlices slices, ServiceContext node)
    {
        var entry = _entries.GetValueOrDefault(name);
        if (service is null)
        {
            if (entry is null)
                return;
            ports.Set(entry.Owner, []);
            Report(name, entry.Compiled, null);
            _entries.Remove(name);
            return;
        }
        if (entry is null)
            _entries.Add(name, entry = new Entry(new ClaimOwner("Service", name)));
        else if (!entry.IsOutdated && entry.Compiled is { } last
            && ReferenceEquals(last.Source, service) && last.Slices.Items == slices.Items)
            return;
        var compiled = ServiceCompiler.Compile(name, service, slices, node, entry.Compiled?.Read ?? ReadSlices.None, _scratch);
        ports.Set(entry.Owner, compiled.Ports);
        Report(name, entry.Compiled, compiled);
        (entry.Compiled, entry.IsOutdated) = (compiled, false);
    }

    /// <summary>Adds the places of all ports.</summary>
    public void AddPorts(HashSet<PortSlot> to)
    {
        foreach (var entry in _entries.Values)
            to.UnionWith(entry.Owner.Ports);
    }

    private void Report(ObjectName name, CompiledService? before, CompiledService? after)
    {
        issues.Replace(before?.Issues, after?.Issues);
        if (before?.HealthCheck is not null || after?.HealthCheck is not null)
            checks.Put(name, before?.HealthCheck, after?.HealthCheck, after?.Source.Uid ?? "");
    }

    private sealed class Entry(ClaimOwner owner)
    {
        public ClaimOwner Owner { get; } = owner;

        /// <summary>Null only while it is compiled for the first time.</summary>
        public CompiledService? Compiled { get; set; }

        /// <summary>Compiled for a node that looked different.</summary>
        public bool IsOutdated { get; set; }
    }
}

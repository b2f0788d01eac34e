using Ebpf.Cni.Compiler.Claims;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Tables;

/// <summary>The hostPorts of this node's pods, as compiled last, and who has them.</summary>
internal sealed class HostPortOwners(PortTable ports, IssueTable issues)
{
    private readonly Dictionary<ObjectName, ClaimOwner> _pods = [];
    private CompiledHostPorts _compiled = CompiledHostPorts.None;

    public void Put(CompiledHostPorts compiled)
    {
        var byPod = compiled.Ports.ToLookup(p => p.Name.Service);
        foreach (var pod in byPod)
        {
            if (!_pods.TryGetValue(pod.Key, out var owner))
                _pods.Add(pod.Key, owner = new ClaimOwner("Pod", pod.Key));
            ports.Set(owner, [.. pod]);
        }
        foreach (var (pod, owner) in _pods.Where(p => !byPod.Contains(p.Key)).ToList())
        {
            ports.Set(owner, []);
            _pods.Remove(pod);
        }
        issues.Replace(_compiled.Issues, compiled.Issues);
        _compiled = compiled;
    }

    /// <summary>Adds the places of all ports.</summary>
    public void AddPorts(HashSet<PortSlot> to)
    {
        foreach (var owner in _pods.Values)
            to.UnionWith(owner.Ports);
    }
}

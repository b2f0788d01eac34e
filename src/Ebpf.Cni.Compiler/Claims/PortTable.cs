using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Claims;

/// <summary>Gives the ports of an owner their places, and their claims to the table.</summary>
/// <param name="claims">Of all owners.</param>
/// <param name="touched">Gets the ports that are not as they were.</param>
internal sealed class PortTable(ClaimTable claims, HashSet<PortSlot> touched)
{
    /// <summary>The owner has these ports from now on; one of the same name as before keeps its place.</summary>
    /// <param name="owner">Whose.</param>
    /// <param name="ports">Sorted by name, each name once.</param>
    public void Set(ClaimOwner owner, ReadOnlySpan<CompiledPort> ports)
    {
        var (before, at) = (owner.Ports, 0);
        var after = new PortSlot[ports.Length];
        for (var i = 0; i < after.Length; i++)
        {
            while (at < before.Length && before[at].Name < ports[i].Name)
                Remove(before[at++]);
            after[i] = at < before.Length && before[at].Name == ports[i].Name ? before[at++] : new PortSlot(ports[i].Name, owner);
            Put(after[i], ports[i]);
        }
        while (at < before.Length)
            Remove(before[at++]);
        owner.Ports = after;
    }

    /// <summary>Only endpoints have changed, nearly always: the claims are the same then.</summary>
    private void Put(PortSlot slot, CompiledPort port)
    {
        touched.Add(slot);
        if (slot.Compiled is { } before && before.ClaimsTheSame(port))
        {
            slot.Compiled = port;
            return;
        }
        if (slot.Compiled is not null)
            claims.Remove(slot);
        slot.Compiled = port;
        claims.Add(slot);
    }

    private void Remove(PortSlot slot)
    {
        touched.Add(slot);
        claims.Remove(slot);
        slot.Compiled = null;
    }
}

using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>
/// From one state of destinations to the next without losing packets: a tunnel entry exists before a route leads into it, and ends after
/// none does any more. Pure.
/// </summary>
internal static class PrefixTransition
{
    /// <summary>
    /// What holds between the two, while routes change: the new one, but what is tunnelled before and gone or direct afterwards is still
    /// tunnelled.
    /// </summary>
    public static ImmutableArray<DesiredPrefix> Between(ImmutableArray<DesiredPrefix> before, ImmutableArray<DesiredPrefix> after)
    {
        if (before.IsDefaultOrEmpty || before == after)
            return after;
        var between = after.ToDictionary(p => (p.Addr, p.PrefixLength));
        var kept = false;
        foreach (var prefix in before)
        {
            if (prefix.Tunnel is null || (between.TryGetValue((prefix.Addr, prefix.PrefixLength), out var now) && now.Tunnel is not null))
                continue;
            between[(prefix.Addr, prefix.PrefixLength)] = prefix with { Flags = prefix.Flags | now.Flags };
            kept = true;
        }

        return kept ? [.. between.Values.OrderBy(p => p.Addr).ThenBy(p => p.PrefixLength)] : after;
    }
}

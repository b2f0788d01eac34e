using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Tables;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>A frontend as a program sees it.</summary>
/// <param name="Key">The frontend.</param>
/// <param name="Value">Its entry.</param>
/// <param name="Backends">What it leads to; empty when it points outside the table.</param>
/// <param name="Tail">What serves but is not chosen.</param>
/// <param name="Sound">Every backend belongs to the frontend's service.</param>
public sealed record ServiceView(SvcKey Key, Svc Value, ImmutableArray<Backend> Backends, ImmutableArray<Backend> Tail, bool Sound)
{
    internal static ImmutableArray<ServiceView> Read(
        IKeyedTable<SvcKey, Svc> frontends, IBackendArray backends, Func<SvcKey, Svc, bool>? only = null)
    {
        var views = ImmutableArray.CreateBuilder<ServiceView>();
        foreach (var (key, value) in frontends.ReadAll().Where(e => only is null || only(e.Key, e.Value)).OrderBy(e => e.Key))
        {
            var inside = (ulong)value.Offset + value.Count + value.Tail <= backends.Length;
            var found = new Backend[inside ? value.Count + value.Tail : 0];
            backends.Read(inside ? value.Offset : 0, found);
            var count = Math.Min((int)value.Count, found.Length);
            views.Add(new ServiceView(
                key, value, ImmutableArray.Create(found, 0, count), ImmutableArray.Create(found, count, found.Length - count),
                inside && found.All(b => b.ServiceId == value.ServiceId)));
        }
        return views.DrainToImmutable();
    }
}

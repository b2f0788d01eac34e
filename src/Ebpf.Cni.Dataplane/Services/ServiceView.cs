using System.Collections.Immutable;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>A frontend as a program sees it.</summary>
/// <param name="Key">The frontend.</param>
/// <param name="Value">Its entry.</param>
/// <param name="Backends">What it leads to; empty when it points outside the table.</param>
/// <param name="Sound">Every backend belongs to the frontend's service.</param>
public sealed record ServiceView(SvcKey Key, Svc Value, ImmutableArray<Backend> Backends, bool Sound)
{
    internal static ImmutableArray<ServiceView> Read(IFrontendTable frontends, IBackendArray backends)
    {
        var views = ImmutableArray.CreateBuilder<ServiceView>();
        foreach (var (key, value) in frontends.ReadAll().OrderBy(e => e.Key))
        {
            var inside = (ulong)value.Offset + value.Count <= backends.Length;
            var found = new Backend[inside ? value.Count : 0];
            backends.Read(inside ? value.Offset : 0, found);
            views.Add(new ServiceView(key, value, ImmutableArray.Create(found), inside && found.All(b => b.ServiceId == value.ServiceId)));
        }
        return views.DrainToImmutable();
    }
}

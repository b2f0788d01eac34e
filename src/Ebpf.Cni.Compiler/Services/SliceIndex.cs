using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// Stage 1: the slices of each service, in the slices' order, kept up to date slice by slice. Slices of another proxy and of
/// headless services are not seen: kube-proxy's label selectors (cmd/kube-proxy/app/server.go) are on its watch of slices too.
/// </summary>
internal sealed class SliceIndex
{
    private readonly Dictionary<ObjectName, ServiceSlices> _byService = [];

    public ServiceSlices Of(ObjectName service) => _byService.GetValueOrDefault(service, ServiceSlices.None);

    /// <summary>A slice came, went or changed.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="before">As it was last put here; null: it was not.</param>
    /// <param name="after">As it is; null: it is no more.</param>
    /// <param name="touched">Gets the services that have other slices now.</param>
    public void Put(ObjectName name, EndpointSliceSnapshot? before, EndpointSliceSnapshot? after, HashSet<ObjectName> touched)
    {
        if (ReferenceEquals(before, after))
            return;
        var (left, joined) = (ServiceOf(name, before), ServiceOf(name, after));
        if (left is { } old)
        {
            touched.Add(old);
            if (old != joined)
                Set(old, Of(old).Without(name));
        }
        if (joined is { } service)
        {
            touched.Add(service);
            _byService[service] = Of(service).With(name, after!);
        }
    }

    private void Set(ObjectName service, ServiceSlices slices)
    {
        if (slices.Items.Length == 0)
            _byService.Remove(service);
        else
            _byService[service] = slices;
    }

    /// <summary>Null: none of ours. One that names no service is its creator's own; kube-proxy passes it over too.</summary>
    private static ObjectName? ServiceOf(ObjectName name, EndpointSliceSnapshot? slice) =>
        slice is null or { ProxyName: not null } or { HeadlessLabel: true } || string.IsNullOrEmpty(slice.ServiceName)
            ? null
            : new ObjectName(name.Namespace, slice.ServiceName);
}

/// <summary>The slices of one service with their names, in the order of these.</summary>
internal readonly record struct ServiceSlices(ImmutableArray<KeyValuePair<ObjectName, EndpointSliceSnapshot>> Items)
{
    public static readonly ServiceSlices None = new([]);

    public ServiceSlices With(ObjectName name, EndpointSliceSnapshot slice)
    {
        var item = KeyValuePair.Create(name, slice);
        return Find(name) is >= 0 and var at ? new(Items.SetItem(at, item)) : new(Items.Insert(~Find(name), item));
    }

    public ServiceSlices Without(ObjectName name) => Find(name) is >= 0 and var at ? new(Items.RemoveAt(at)) : this;

    /// <summary>Its position; the complement of where it would be if it is not here.</summary>
    private int Find(ObjectName name)
    {
        var (low, high) = (0, Items.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (Items[middle].Key < name)
                low = middle + 1;
            else
                high = middle;
        }
        return low < Items.Length && Items[low].Key == name ? low : ~low;
    }
}

using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// Stage 1: the slices of each service, in the slices' order. Chains through flat arrays: one dictionary entry for each service
/// and nothing else, since this is rebuilt whenever any slice changes. Slices of another proxy and of headless services are not seen: kube-proxy's
/// label selectors (cmd/kube-proxy/app/server.go) are on its watch of slices too.
/// </summary>
internal sealed class SliceIndex
{
    private const int End = -1;

    private readonly Dictionary<ObjectName, int> _first;
    private readonly KeyValuePair<ObjectName, EndpointSliceSnapshot>[] _slices;
    private readonly int[] _next;

    public SliceIndex(ImmutableSortedDictionary<ObjectName, EndpointSliceSnapshot> slices)
    {
        Source = slices;
        _slices = [.. slices];
        _next = new int[_slices.Length];
        _first = new Dictionary<ObjectName, int>(_slices.Length);
        for (var i = _slices.Length - 1; i >= 0; i--)
        {
            var (name, slice) = _slices[i];
            // One that names no service is somebody's own; kube-proxy passes it over too.
            if (slice.ProxyName is not null || slice.HeadlessLabel || string.IsNullOrEmpty(slice.ServiceName))
                continue;
            var service = new ObjectName(name.Namespace, slice.ServiceName);
            _next[i] = _first.TryGetValue(service, out var head) ? head : End;
            _first[service] = i;
        }
    }

    /// <summary>What was indexed.</summary>
    public ImmutableSortedDictionary<ObjectName, EndpointSliceSnapshot> Source { get; }

    public ServiceSlices Of(ObjectName service)
    {
        var count = 0;
        var head = _first.TryGetValue(service, out var first) ? first : End;
        for (var i = head; i != End; i = _next[i])
            count++;
        if (count == 0)
            return ServiceSlices.None;
        var result = new KeyValuePair<ObjectName, EndpointSliceSnapshot>[count];
        for (var i = head; i != End; i = _next[i])
            result[^count--] = _slices[i];
        return new ServiceSlices(result);
    }

    /// <summary>Whether the service still has exactly these slices: the same objects.</summary>
    public bool Has(ObjectName service, ServiceSlices slices)
    {
        var i = _first.TryGetValue(service, out var head) ? head : End;
        foreach (var (_, slice) in slices.Items)
        {
            if (i == End || !ReferenceEquals(_slices[i].Value, slice))
                return false;
            i = _next[i];
        }
        return i == End;
    }
}

/// <summary>The slices of one service with their names.</summary>
internal readonly record struct ServiceSlices(KeyValuePair<ObjectName, EndpointSliceSnapshot>[] Items)
{
    public static readonly ServiceSlices None = new([]);
}

using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// Slices of a service as read, for one view of the node. A service of thousands of endpoints changes one slice at a
/// time; the others need not be read again. Few slices are read again sooner than they are kept for each of all services.
/// </summary>
internal sealed class ReadSlices
{
    public static readonly ReadSlices None = new(null, []);

    private const int FewSlices = 4;
    private readonly object? _view;
    private readonly Entry[] _entries;

    private ReadSlices(object? view, Entry[] entries) => (_view, _entries) = (view, entries);

    /// <summary>Reads all slices, or takes over what <paramref name="before"/> has of them.</summary>
    /// <param name="slices">The service's.</param>
    /// <param name="node">The view they are read for.</param>
    /// <param name="before">Of an earlier compile of the service.</param>
    /// <param name="endpoints">Gets the usable ones.</param>
    /// <param name="issues">Gets what was wrong with them.</param>
    public static ReadSlices Read(
        ServiceSlices slices, ServiceContext node, ReadSlices before, List<SliceEndpoints> endpoints, List<CompileIssue> issues)
    {
        if (slices.Items.Length <= FewSlices)
        {
            foreach (var (name, slice) in slices.Items)
                if (SliceEndpoints.Read(name, slice, node, issues) is { } read)
                    endpoints.Add(read);
            return None;
        }
        var known = ReferenceEquals(before._view, node.Identity) ? before._entries : [];
        var entries = new Entry[slices.Items.Length];
        var next = 0;
        for (var i = 0; i < entries.Length; i++)
        {
            var (name, slice) = slices.Items[i];
            while (next < known.Length && known[next].Name < name)
                next++;
            entries[i] = next < known.Length && ReferenceEquals(known[next].Slice, slice) ? known[next] : Entry.Of(name, slice, node);
            if (entries[i].Endpoints is { } read)
                endpoints.Add(read);
            issues.AddRange(entries[i].Issues);
        }
        return new ReadSlices(node.Identity, entries);
    }

    private readonly record struct Entry(ObjectName Name, EndpointSliceSnapshot Slice, SliceEndpoints? Endpoints, CompileIssue[] Issues)
    {
        public static Entry Of(ObjectName name, EndpointSliceSnapshot slice, ServiceContext node)
        {
            var issues = new List<CompileIssue>();
            return new Entry(name, slice, SliceEndpoints.Read(name, slice, node, issues), [.. issues]);
        }
    }
}

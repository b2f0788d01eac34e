using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding;

namespace Ebpf.Cni.Kubernetes.Store;

/// <summary>What an event turned out to be, compared with what is held.</summary>
internal enum Freshness
{
    /// <summary>Applied, or it had nothing to change.</summary>
    Taken,

    /// <summary>Older than what is held, and therefore not applied.</summary>
    Stale,
}

/// <summary>Where one reflector puts what it learns. One writer.</summary>
internal interface IObjectSink<T>
    where T : class
{
    int Count { get; }

    /// <summary>The instance held in exactly this version; null if there is none.</summary>
    T? Find(in ObjectName name, string version);

    bool Contains(in ObjectName name);

    /// <summary>The whole list, after its last page.</summary>
    void Replace(IReadOnlyList<Decoded<T>> items);

    Freshness Upsert(in Decoded<T> item);

    Freshness Remove(in ObjectName name, string version);
}

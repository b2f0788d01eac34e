namespace Ebpf.Cni.Sandbox.Store;

public enum StoreEventKind
{
    Added,
    Modified,
    Deleted,
}

/// <summary>One change. <paramref name="Object"/> of a deletion is the last state, carrying the deletion's own resourceVersion.</summary>
public sealed record StoreEvent(StoreEventKind Kind, ResourceType Type, StoredObject Object, StoredObject? Previous)
{
    public long ResourceVersion => Object.ResourceVersion;
}

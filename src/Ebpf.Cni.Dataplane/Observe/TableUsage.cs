namespace Ebpf.Cni.Dataplane.Observe;

/// <summary>How full a table is, by the map's name; both numbers are entries.</summary>
public readonly record struct TableUsage(string Table, uint Entries, uint Size);

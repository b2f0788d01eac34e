using System.Text.Json.Serialization;
using Ebpf.Cni.Pods.Files;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Sync.Ports;

/// <summary>What this agent added to the list, and the list as it left it.</summary>
/// <param name="Added">Ports that were not in the list before.</param>
/// <param name="Written">The whole list after that: as long as it is this one, no other process has written.</param>
public sealed record ReservedPortsRecord(string Added, string Written);

/// <summary>
/// net.ipv4.ip_local_reserved_ports: the kernel takes none of these for a socket that asked for no port in particular. A connection of the
/// node from a port that leads to a pod would never get its answers. The operator's ports stay: what was added is remembered over restarts,
/// and as soon as another has written the list, all that is in it is another's. Not thread-safe.
/// </summary>
/// <param name="settings">Of the node.</param>
/// <param name="file">Where it is remembered.</param>
public sealed class ReservedPorts(SysctlTree settings, string file)
{
    public const string Setting = "ipv4/ip_local_reserved_ports";

    /// <summary>Of the file, in the state directory.</summary>
    public const string FileName = "reserved-ports.json";

    /// <summary>Makes the list hold these and whatever others have put there.</summary>
    /// <returns>Whether it was written.</returns>
    /// <exception cref="IOException">It cannot be read or written, or the file cannot.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, read-only.</exception>
    public bool Apply(IReadOnlySet<ushort> wanted)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        if (!settings.Has(Setting))
            return false;
        var current = PortList.Parse(settings.ReadList(Setting));
        var record = StateFile.Read(file, ReservedPortsJson.Default.ReservedPortsRecord, out _) ?? new ReservedPortsRecord("", "");
        var others = new SortedSet<ushort>(current);
        if (current.SetEquals(PortList.Parse(record.Written)))
            others.ExceptWith(PortList.Parse(record.Added));
        var added = wanted.Where(p => !others.Contains(p)).ToList();
        var list = new SortedSet<ushort>(others.Concat(added));
        if (list.SetEquals(current))
            return false;
        // Written down first: a kill in between leaves a list that differs from what was written, and nothing of it is ever removed.
        StateFile.Write(file, new ReservedPortsRecord(PortList.Write(added), PortList.Write(list)),
            ReservedPortsJson.Default.ReservedPortsRecord);
        settings.WriteList(Setting, PortList.Write(list));
        return true;
    }

    /// <summary>Takes out of the list what was added, for good.</summary>
    /// <returns>
    /// The ports that were taken out, and those that stay because another has written the list since; both as
    /// <see cref="PortList"/> writes them.
    /// </returns>
    /// <inheritdoc cref="Apply"/>
    public (string Removed, string Left) Release()
    {
        var added = PortList.Parse(StateFile.Read(file, ReservedPortsJson.Default.ReservedPortsRecord, out _)?.Added ?? "");
        if (added.Count == 0 || !settings.Has(Setting))
            return ("", "");
        if (Apply(new HashSet<ushort>()))
            return (PortList.Write(added), "");
        added.IntersectWith(PortList.Parse(settings.ReadList(Setting)));
        return ("", PortList.Write(added));
    }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ReservedPortsRecord))]
internal sealed partial class ReservedPortsJson : JsonSerializerContext;

using Ebpf.Cni.Pods.Addresses;
using Ebpf.Cni.Pods.Files;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>
/// The state directory: endpoints/&lt;hash&gt;.json, one file an endpoint, and addresses.json. Each file carries the node's name.
/// </summary>
public sealed class EndpointFiles
{
    private const UnixFileMode OwnerDirectory = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Names in the state directory: of the directory of endpoints, and of the file of addresses.</summary>
    public const string EndpointsName = "endpoints", PoolName = "addresses.json";

    /// <summary>Ends the name of a file that was set aside.</summary>
    public const string BadSuffix = ".bad";

    private readonly string _endpoints;
    private readonly string _pool;

    /// <summary>Makes the directories where they are missing and removes what interrupted writes left.</summary>
    /// <param name="stateDirectory">One agent's alone.</param>
    /// <param name="node">The node's name.</param>
    public EndpointFiles(string stateDirectory, string node)
    {
        ArgumentNullException.ThrowIfNull(stateDirectory);
        Node = node;
        _endpoints = Path.Combine(stateDirectory, EndpointsName);
        _pool = Path.Combine(stateDirectory, PoolName);
        Directory.CreateDirectory(_endpoints, OwnerDirectory);
        AtomicFile.RemoveLeftovers(stateDirectory);
        AtomicFile.RemoveLeftovers(_endpoints);
    }

    /// <summary>Written into every file.</summary>
    public string Node { get; }

    /// <summary>
    /// The node that the files of a state directory name, if it is another; null where they name this one or, as older
    /// agents wrote them, none. An agent that takes another node's records for its own finds none of their interfaces,
    /// and forgets them; the other node's pods are strangers there then, and are removed. Touches nothing.
    /// </summary>
    public static string? OtherOwner(string stateDirectory, string node)
    {
        var owners = new List<string?>
        {
            StateFile.Read(Path.Combine(stateDirectory, PoolName), StateJson.Default.PoolRecord, out _)?.Node,
        };
        var endpoints = Path.Combine(stateDirectory, EndpointsName);
        if (Directory.Exists(endpoints))
            owners.AddRange(Directory.EnumerateFiles(endpoints, "*.json")
                .Select(f => StateFile.Read(f, StateJson.Default.EndpointRecord, out _)?.Node));
        return owners.Find(o => o is { Length: > 0 } && o != node);
    }

    /// <summary>The readable records of a state directory; touches nothing, and needs no directory.</summary>
    public static IReadOnlyList<EndpointRecord> Peek(string stateDirectory)
    {
        var endpoints = Path.Combine(stateDirectory, EndpointsName);
        return Directory.Exists(endpoints)
            ? [.. Directory.EnumerateFiles(endpoints, "*.json").Order(StringComparer.Ordinal)
                .Select(f => StateFile.Read(f, StateJson.Default.EndpointRecord, out _)).OfType<EndpointRecord>()]
            : [];
    }

    /// <summary>All readable records; any other file is renamed to *.bad and returned in <paramref name="bad"/>.</summary>
    public IReadOnlyList<EndpointRecord> ReadAll(out IReadOnlyList<BadFile> bad)
    {
        var (records, rejected) = (new List<EndpointRecord>(), new List<BadFile>());
        var (numbers, addresses) = (new HashSet<uint>(), new HashSet<string>());
        foreach (var file in Directory.EnumerateFileSystemEntries(_endpoints, "*.json").Order(StringComparer.Ordinal))
        {
            var record = StateFile.Read(file, StateJson.Default.EndpointRecord, out var cause);
            cause ??= Unsoundness(record!, file);
            // No agent writes duplicates; the first record keeps its values.
            if (cause is null && !numbers.Add(record!.Number))
                cause = $"another record has the same endpoint id {record.Number}";
            // Addresses that another plugin gave may be given again before we hear of it.
            if (cause is null && record!.Foreign is null && record.Addresses.FirstOrDefault(a => !addresses.Add(a)) is { } twice)
                cause = $"another record has the same address {twice}";
            if (cause is null)
                records.Add(record!);
            else
                rejected.Add(SetAside(file, cause));
        }

        bad = rejected;
        return records;
    }

    public void Write(EndpointRecord record) =>
        StateFile.Write(PathOf(record), record with { Node = Node }, StateJson.Default.EndpointRecord);

    public void Delete(EndpointRecord record) => File.Delete(PathOf(record));

    /// <summary>An empty one where there is no file, or one that is none: that is set aside as *.bad.</summary>
    public PoolRecord ReadPool(out BadFile? bad)
    {
        bad = null;
        if (!Path.Exists(_pool))
            return new PoolRecord();
        var record = StateFile.Read(_pool, StateJson.Default.PoolRecord, out var cause);
        if (record is not null)
            return record;
        bad = SetAside(_pool, cause!);
        return new PoolRecord();
    }

    public void WritePool(PoolRecord pool) => StateFile.Write(_pool, pool with { Node = Node }, StateJson.Default.PoolRecord);

    private string? Unsoundness(EndpointRecord record, string file)
    {
        if (PathOf(record) != file)
            return "container id and interface do not match the file name";
        if (record.Number == 0)
            return "the endpoint id is 0";
        if (record.Addresses.Count == 0 || !record.Addresses.All(a => System.Net.IPAddress.TryParse(a, out _)))
            return "it has no valid addresses";
        return record.PortMappings.All(m => m is { IsSound: true }) ? null : "its hostPorts are invalid";
    }

    private static BadFile SetAside(string file, string cause)
    {
        try
        {
            if (Directory.Exists(file))
                Directory.Move(file, file + BadSuffix);
            else
                File.Move(file, file + BadSuffix, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            cause += $"; renaming it failed too: {e.Message}";
        }

        return new BadFile(file, cause);
    }

    private string PathOf(EndpointRecord record) => Path.Combine(_endpoints, record.Key.Hash + ".json");
}

/// <summary>A file of the state directory that cannot be used.</summary>
public sealed record BadFile(string Path, string Cause);

using Ebpf.Cni.Agent.Cni;

namespace Ebpf.Cni.Agent.Ipam;

/// <summary>The state directory: endpoints/&lt;hash&gt;.json, one file an endpoint, and addresses.json.</summary>
public sealed class EndpointFiles
{
    private const UnixFileMode OwnerDirectory = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _endpoints;
    private readonly string _pool;

    /// <summary>Makes the directories where they are missing and removes what interrupted writes left.</summary>
    public EndpointFiles(string stateDirectory)
    {
        ArgumentNullException.ThrowIfNull(stateDirectory);
        _endpoints = Path.Combine(stateDirectory, "endpoints");
        _pool = Path.Combine(stateDirectory, "addresses.json");
        Directory.CreateDirectory(_endpoints, OwnerDirectory);
        AtomicFile.RemoveLeftovers(stateDirectory);
        AtomicFile.RemoveLeftovers(_endpoints);
    }

    /// <summary>All readable records; a file that is none is set aside under the name *.bad and told in <paramref name="bad"/>.</summary>
    public IReadOnlyList<EndpointRecord> ReadAll(out IReadOnlyList<BadFile> bad)
    {
        var (records, rejected) = (new List<EndpointRecord>(), new List<BadFile>());
        var (numbers, addresses) = (new HashSet<uint>(), new HashSet<string>());
        foreach (var file in Directory.EnumerateFileSystemEntries(_endpoints, "*.json").Order(StringComparer.Ordinal))
        {
            var record = StateFile.Read(file, StateJson.Default.EndpointRecord, out var cause);
            cause ??= Unsoundness(record!, file);
            // Whatever is there twice was not written by an agent; the first keeps it.
            if (cause is null && !numbers.Add(record!.Number))
                cause = $"another record has its number {record.Number}";
            // Addresses that another plugin gave may be given again before we hear of it.
            if (cause is null && record!.Foreign is null && record.Addresses.FirstOrDefault(a => !addresses.Add(a)) is { } twice)
                cause = $"another record has its address {twice}";
            if (cause is null)
                records.Add(record!);
            else
                rejected.Add(SetAside(file, cause));
        }

        bad = rejected;
        return records;
    }

    public void Write(EndpointRecord record) => StateFile.Write(PathOf(record), record, StateJson.Default.EndpointRecord);

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

    public void WritePool(PoolRecord pool) => StateFile.Write(_pool, pool, StateJson.Default.PoolRecord);

    private string? Unsoundness(EndpointRecord record, string file)
    {
        if (PathOf(record) != file)
            return "it is another endpoint's";
        if (record.Number == 0)
            return "its number is 0";
        if (record.Addresses.Count == 0 || !record.Addresses.All(a => System.Net.IPAddress.TryParse(a, out _)))
            return "its addresses are none";
        return record.PortMappings.All(m => m is { IsSound: true }) ? null : "its hostPorts make no sense";
    }

    private static BadFile SetAside(string file, string cause)
    {
        try
        {
            if (Directory.Exists(file))
                Directory.Move(file, file + ".bad");
            else
                File.Move(file, file + ".bad", overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            cause += $"; it cannot be renamed either: {e.Message}";
        }

        return new BadFile(file, cause);
    }

    private string PathOf(EndpointRecord record) => Path.Combine(_endpoints, record.Key.Hash + ".json");
}

/// <summary>A file of the state directory that cannot be used.</summary>
public sealed record BadFile(string Path, string Cause);

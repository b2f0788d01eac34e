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
    public IReadOnlyList<EndpointRecord> ReadAll(out IReadOnlyList<string> bad)
    {
        var (records, rejected) = (new List<EndpointRecord>(), new List<string>());
        foreach (var file in Directory.EnumerateFiles(_endpoints, "*.json"))
        {
            var record = StateFile.Read(file, StateJson.Default.EndpointRecord);
            if (record is not null && PathOf(record) == file && IsSound(record))
            {
                records.Add(record);
                continue;
            }

            rejected.Add(file);
            File.Move(file, file + ".bad", overwrite: true);
        }

        bad = rejected;
        return records;
    }

    public void Write(EndpointRecord record) => StateFile.Write(PathOf(record), record, StateJson.Default.EndpointRecord);

    public void Delete(EndpointRecord record) => File.Delete(PathOf(record));

    public PoolRecord ReadPool() =>
        (File.Exists(_pool) ? StateFile.Read(_pool, StateJson.Default.PoolRecord) : null) ?? new PoolRecord();

    public void WritePool(PoolRecord pool) => StateFile.Write(_pool, pool, StateJson.Default.PoolRecord);

    private static bool IsSound(EndpointRecord record) =>
        record.Number != 0 && record.Addresses.Count > 0 && record.Addresses.All(a => System.Net.IPAddress.TryParse(a, out _))
        && record.PortMappings.All(m => m.IsSound);

    private string PathOf(EndpointRecord record) => Path.Combine(_endpoints, record.Key.Hash + ".json");
}

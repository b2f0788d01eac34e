using Ebpf.Cni.Agent.Uninstall;
using Ebpf.Cni.Dataplane.Removal;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Uninstall;

/// <summary>The agent's files go by name: an option may have named a directory of others.</summary>
public sealed class DirectoryRemovalTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_directory_of_the_agents_goes_with_all_that_agents_write()
    {
        Fill(
            "state", "addresses.json", "addresses.json.bad", "reserved-ports.json", "former-settings.json", "state.lock",
            ".tmp-addresses.json-1");
        Fill("state/endpoints", "0123456789a.json", "0123456789b.json.bad");
        Fill("run", "agent.lock", "cni.sock", "cni.sock.new", "observe.sock", "observe.new", "status.json");
        Fill("run/deletes", "c1@eth0.json", ".12-34");
        var report = Remove("state", "run");
        Assert.Equal([_directory["state"], _directory["run"]], report.Removed);
        Assert.Empty(report.Left);
        Assert.Empty(report.Failures);
        Assert.Empty(Directory.GetFileSystemEntries(_directory.Path));
        Assert.Empty(Remove("state", "run").Removed);
    }

    [Fact]
    public void A_directory_of_others_keeps_what_is_theirs()
    {
        Fill("shared", "addresses.json", "agent.lock", "theirs.json");
        var report = Remove("shared", "shared");
        Assert.Contains("with theirs.json: no agent made them", Assert.Single(report.Left), StringComparison.Ordinal);
        Assert.Equal(["theirs.json"], Directory.GetFileSystemEntries(_directory["shared"]).Select(Path.GetFileName));
    }

    private void Fill(string directory, params string[] files)
    {
        Directory.CreateDirectory(_directory[directory]);
        foreach (var file in files)
            File.WriteAllText(Path.Combine(_directory[directory], file), "{}");
    }

    private RemovalReport Remove(params string[] directories)
    {
        var report = new RemovalReport();
        DirectoryRemoval.Run(directories.Select(d => _directory[d]), report);
        return report;
    }
}

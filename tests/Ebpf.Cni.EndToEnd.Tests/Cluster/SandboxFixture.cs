using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>A cluster of the sandbox with the published agent and plugin, shared by the tests of a class or a collection.</summary>
public abstract class SandboxFixture : IAsyncLifetime
{
    private SandboxCluster? _cluster;

    /// <summary>Skips the test where no cluster can be.</summary>
    public SandboxCluster Cluster
    {
        get
        {
            Requires.Root();
            return _cluster ?? throw new InvalidOperationException("the cluster did not start");
        }
    }

    /// <summary>What cluster to start; the artifacts are filled in.</summary>
    private protected abstract SandboxOptions Options { get; }

    public async ValueTask InitializeAsync()
    {
        if (!Environment.IsPrivilegedProcess)
            return;
        _cluster = await SandboxCluster.StartAsync(
            Options with { Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent")) });
        await FillAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Called once it runs: makes what every test finds in it.</summary>
    private protected abstract Task FillAsync();
}

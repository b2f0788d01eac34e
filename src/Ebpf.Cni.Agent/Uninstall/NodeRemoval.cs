using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Removal;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Agent.Uninstall;

/// <summary>What became of a removal.</summary>
/// <param name="Refusal">Why nothing was touched, a sentence each; empty when the removal was done.</param>
/// <param name="Report">What was done.</param>
internal sealed record RemovalResult(IReadOnlyList<string> Refusal, RemovalReport Report);

/// <summary>
/// The steps of a removal, in the network and mount namespaces of the calling thread, which are the node's. The container runtime goes
/// first, so that no pod comes meanwhile; the records go last, so that a removal that failed can be repeated.
/// </summary>
/// <param name="options">The agent's: where things are.</param>
/// <param name="force">Also while pods use the network.</param>
internal sealed class NodeRemoval(AgentOptions options, bool force)
{
    private readonly RemovalReport _report = new();
    private readonly SysctlTree _settings = new(options.SysctlRoot);

    /// <exception cref="IOException">A lock cannot be taken; nothing was touched.</exception>
    /// <exception cref="UnauthorizedAccessException">The same, for want of rights.</exception>
    public RemovalResult Run()
    {
        // An agent makes both directories; without one of them, none can run there.
        using var run = TryLock(options.RunDir, AgentLock.RunName, out var runs);
        using var state = TryLock(options.StateDir, AgentLock.StateName, out var runsElsewhere);
        if (runs || runsElsewhere)
        {
            var where = runs ? options.RunDir : options.StateDir;
            return new RemovalResult([$"an agent runs on this node (it holds the lock in {where}): stop it first"], _report);
        }

        if (Unlocked() is { } unlocked && !force)
            return new RemovalResult([unlocked], _report);

        var records = EndpointFiles.Peek(options.StateDir);
        var pods = FindPods(records);
        if (pods.Count > 0 && !force)
        {
            return new RemovalResult(
                [
                    .. pods.Select(p => $"{p} uses the network"),
                    $"drain the node first, or take the network from these pods ({CleanupArguments.ForceSwitch}, chart: cleanup.force)",
                ],
                _report);
        }

        Remove(records, pods.Count);
        return new RemovalResult([], _report);
    }

    /// <summary>
    /// Tables are of this boot, and the agent that made them has both directories: where one is missing, the options name another place,
    /// and no lock says whether an agent runs.
    /// </summary>
    private string? Unlocked() =>
        !Directory.Exists(new PinLayout(options.BpffsRoot).Maps) ? null
        : !Directory.Exists(options.RunDir) ? Missing("--run-dir", options.RunDir)
        : !Directory.Exists(options.StateDir) ? Missing("--state-dir", options.StateDir)
        : null;

    private string Missing(string option, string directory) =>
        $"{option}: {directory} does not exist, but {options.BpffsRoot} has an agent's tables: give the agent's own directories "
        + $"({CleanupArguments.ForceSwitch}: no agent runs)";

    private void Remove(IReadOnlyList<EndpointRecord> records, int pods)
    {
        var cni = new CniRemoval(options, _report);
        cni.RemoveConfiguration();
        InterfaceRemoval.Run(records, _report);
        DataplaneRemoval.Run(options.BpffsRoot, _report);
        new SettingsRemoval(_settings, options.StateDir, _report) { OtherNetwork = ChainedConfiguration.Base(options.CniConfDir) }.Run();
        if (pods > 0)
        {
            // A DEL without an agent needs the plugin, which queues it in the run directory; the records say when the last pod is gone.
            _report.Leave(
                $"{PluginFile.Target(options.PluginPaths)}, {options.StateDir} and {options.RunDir}: the container runtime needs them to "
                + $"remove the {pods} pods that used the network; repeat the command when they are gone");
            return;
        }

        cni.RemovePlugin();
        if (_report.Failures.Count > 0)
            _report.Leave($"{options.StateDir} and {options.RunDir}: the command needs them when it is repeated");
        else
            DirectoryRemoval.Run([options.StateDir, options.RunDir], _report);
    }

    private IReadOnlyList<string> FindPods(IReadOnlyList<EndpointRecord> records)
    {
        var network = new PodNetworks(new VethPodNetwork(new PodMtu(options.Sync), _settings));
        var deletes = PendingDelete.DirectoryBeside(options.CniSocket);
        using var netlink = RouteNetlink.Open();
        return PodsInUse.Find(records, IsDeleted, network, netlink.Links);

        bool IsDeleted(EndpointKey key) => File.Exists(Path.Combine(deletes, new PendingDelete(key.ContainerId, key.Ifname).FileName));
    }

    /// <returns>Null without the directory, and where an agent holds the lock.</returns>
    private static IDisposable? TryLock(string directory, string name, out bool held)
    {
        var taken = Directory.Exists(directory) ? AgentLock.TryTake(directory, name) : null;
        held = taken is null && Directory.Exists(directory);
        return taken;
    }
}

using System.Net.Sockets;
using Ebpf.Cni.Agent;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Agent.Prepare;
using Ebpf.Cni.Agent.Uninstall;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Kubernetes.Connection;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Sync.Apply;

// Exit codes: 0 stopped on request; 1 failed; 2 the options are wrong or a right is missing, and nothing was touched.
// "cleanup" has one more: 3, refused.
if (args is [PrepareCommand.Name, ..])
    return PrepareCommand.Run(args[1..], Environment.GetEnvironmentVariable, File.ReadAllText);
if (args is [CleanupCommand.Name, ..])
    return CleanupCommand.Run(args[1..], Environment.GetEnvironmentVariable, File.ReadAllText);

var read = OptionsReader.Read(args, Environment.GetEnvironmentVariable, File.ReadAllText);
if (read.HelpWanted || read.VersionWanted)
{
    Console.Write(read.HelpWanted ? OptionsHelp.Text : AgentVersion.Text + "\n");
    return 0;
}

var options = CgroupRoot.Resolve(read.Options);
var errors = read.Errors.Concat(OptionsCheck.Errors(options)).ToList();
if (errors.Count > 0)
{
    foreach (var error in errors)
        Console.Error.WriteLine(error);
    Console.Error.WriteLine("ebpf-cni-agent --help lists the options");
    return 2;
}

foreach (var warning in read.Warnings)
    Console.Error.WriteLine(warning);

// A pod's worth of blocking kernel calls at once must not wait for the pool to grow.
ThreadPool.SetMinThreads(options.CniParallel + Environment.ProcessorCount + 4, 4);
try
{
    using var only = AgentLock.TryTake(options.RunDir, AgentLock.RunName);
    if (only is null)
    {
        Console.Error.WriteLine($"--run-dir: another agent uses {options.RunDir}");
        return 1;
    }

    IDisposable? state = null;
    try
    {
        state = AgentLock.TryTake(options.StateDir, AgentLock.StateName);
        if (state is null)
        {
            Console.Error.WriteLine(
                $"--state-dir (chart: hostPaths.state): another agent uses {options.StateDir}; every node needs a directory of its own");
            return 1;
        }
    }
    catch (Exception e) when (e is IOException or UnauthorizedAccessException && Directory.Exists(options.StateDir))
    {
        // A file system without room: the node's Services are worth more than this guard.
        Console.Error.WriteLine(
            $"--state-dir (chart: hostPaths.state): {options.StateDir} cannot be locked, continuing without a lock: {e.Message}");
    }

    using var locked = state;

    if (EndpointFiles.OtherOwner(options.StateDir, options.NodeName) is { } owner)
    {
        Console.Error.WriteLine(
            $"--state-dir (chart: hostPaths.state): {options.StateDir} belongs to node {owner}, this is node {options.NodeName}: "
            + "every node needs a directory of its own. "
            + "If this node was renamed, drain it and remove the directory");
        return 2;
    }

    using var connection = options.Kubeconfig.Length > 0
        ? KubernetesConnection.FromKubeconfig(options.Kubeconfig)
        : KubernetesConnection.InCluster();
    await using var app = AgentHost.Build(options, connection);
    var (guard, dataplane) = (app.Services.GetRequiredService<LoopGuard>(), app.Services.GetRequiredService<DataplaneHolder>());
    await app.RunAsync();
    // The host calls every stop a success.
    return dataplane.Failed || guard.Tripped ? 1 : 0;
}
catch (Exception e) when (e is KubernetesConnectionException or IOException or UnauthorizedAccessException or SocketException)
{
    Console.Error.WriteLine(e.Message + OptionHint.Of(e.Message));
    return 1;
}

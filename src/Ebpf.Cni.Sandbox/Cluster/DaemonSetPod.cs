using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Install;
using Ebpf.Cni.Sandbox.Kubelet;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>
/// The installation's pod on a node: its specification made into containers. What the API knows (its ConfigMaps) is read when a container
/// starts, as a kubelet would have updated it by then.
/// </summary>
internal sealed class DaemonSetPod
{
    /// <summary>What the image sets; the rest of a container's environment is the specification's, and what every kubelet adds.</summary>
    private const string ImagePath = "/opt/ebpf-cni:/usr/bin";

    private readonly KubeletContext _node;
    private readonly NodeMounts _mounts;
    private readonly string _artifacts;
    private readonly PodPlan _plan;
    private bool _prepared;

    /// <exception cref="FormatException">The sandbox does not understand the specification.</exception>
    public DaemonSetPod(KubeletContext node, NodeMounts mounts, string artifacts, JsonObject pod)
    {
        (_node, _mounts, _artifacts, Object) = (node, mounts, artifacts, pod);
        _plan = PodReader.Read(pod["spec"] as JsonObject ?? []);
        Main = _plan.Containers is [var only] ? only : throw new FormatException(
            $"{pod.Name()} has {_plan.Containers.Count} containers: the sandbox runs one, which tests start and kill");
    }

    public JsonObject Object { get; }

    public ContainerPlan Main { get; }

    public TimeSpan Grace => _plan.Grace;

    public string LogOf(ContainerPlan container) => Path.Combine(_node.Directories.Logs, container.Name + ".log");

    private string Directory => Path.Combine(_node.Directories.Root, "pods", Object.Uid());

    /// <summary>
    /// Runs the init containers, if that has not been done: they belong to the pod's making, not to its containers' restarts.
    /// </summary>
    /// <exception cref="InvalidOperationException">One failed; carries the end of its log.</exception>
    public async Task PrepareAsync()
    {
        if (_prepared)
            return;
        foreach (var container in _plan.Preparations)
        {
            ShowLog(container);
            var (plan, mounts) = await PlanAsync(container, []);
            using (mounts)
            {
                using var process = NodeProcess.Start(plan);
                await process.WaitForExitAsync();
                if (process.ExitCode != 0)
                    throw new InvalidOperationException(
                        $"the init container {container.Name} of {_node.Name} ended with exit code "
                        + $"{process.ExitCode}:\n{Tail(plan.LogFile!)}");
            }
        }
        ShowLog(Main);
        _prepared = true;
    }

    /// <summary>How to start a container. The caller disposes the mounts when it has ended.</summary>
    /// <param name="more">Added to its command.</param>
    public async Task<(ProcessPlan Plan, MountTree Mounts)> PlanAsync(ContainerPlan container, IReadOnlyList<string> more)
    {
        var environment = Environment(container);
        var command = container.Command.Select(part => ContainerEnvironment.Expand(part, environment)).Concat(more).ToList();
        var volumes = new Dictionary<string, string>();
        foreach (var (name, volume) in _plan.Volumes)
            volumes[name] = await VolumeAsync(name, volume);
        var root = new ContainerRoot(container, _artifacts, volumes, _plan.ServiceAccountToken ? Secrets() : null);
        var mounts = root.Create(_mounts, _node.Namespace, _node.Directories.Containers);
        var plan = new ProcessPlan(_node.Namespace, CgroupOf(container), ContainerCommand.Of(container, environment, command))
        {
            Mounts = mounts.Path,
            LogFile = LogOf(container),
        };
        return (plan, mounts);
    }

    /// <summary>How to run a command in the container that runs all the time.</summary>
    /// <param name="files">Of that container.</param>
    /// <exception cref="ApiException">Another container is meant: it has ended.</exception>
    public ProcessPlan ExecPlan(ExecRequest request, MountTree files)
    {
        if (request.Container != Main.Name)
            throw ApiException.BadRequest($"container {request.Container} of pod {Object.Name()} does not run");
        var environment = Environment(Main);
        if (request.Terminal)
            environment["TERM"] = ContainerEnvironment.TerminalType;
        var command = ContainerCommand.Of(Main, environment, request.Command);
        return new ProcessPlan(_node.Namespace, CgroupOf(Main), command) { Mounts = files.Path };
    }

    /// <summary>The pod is gone: what the node kept for it goes too.</summary>
    public void Forget()
    {
        foreach (var directory in (string[])[Directory, _node.PodLogDirectory(Object.Uid())])
            if (System.IO.Directory.Exists(directory))
                System.IO.Directory.Delete(directory, recursive: true);
    }

    public static string Tail(string log, int lines = 20) =>
        File.Exists(log) ? string.Join('\n', File.ReadLines(log).TakeLast(lines)) : "(no log)";

    private string CgroupOf(ContainerPlan container) => Path.Combine(_node.Paths.NodeCgroup(_node.Name), container.Name);

    // for kubectl logs
    private void ShowLog(ContainerPlan container)
    {
        var directory = _node.LogDirectory(Object.Uid(), container.Name);
        System.IO.Directory.CreateDirectory(directory);
        File.CreateSymbolicLink(Path.Combine(directory, "0.log"), LogOf(container));
    }

    private Dictionary<string, string> Environment(ContainerPlan container)
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = ImagePath,
            ["HOME"] = "/root",
            ["HOSTNAME"] = _node.Name,
            ["KUBERNETES_SERVICE_HOST"] = "127.0.0.1",
            ["KUBERNETES_SERVICE_PORT"] = $"{SandboxCluster.NodeSecureApiPort}",
        };
        foreach (var variable in container.Environment)
            environment[variable.Name] = variable.Field is { } field
                ? ContainerEnvironment.FieldOf(Object, field, new PodAddresses(_node.HostAddresses, _node.HostAddresses))
                : ContainerEnvironment.Expand(variable.Value ?? "", environment);
        return environment;
    }

    private async Task<string> VolumeAsync(string name, VolumePlan volume)
    {
        if (volume is VolumePlan.HostPath host)
        {
            var source = _mounts.SourceOf(host.Path);
            _mounts.Inside(() => Demand(host, source));
            return source;
        }
        var directory = Path.Combine(Directory, "volumes", name);
        System.IO.Directory.CreateDirectory(directory);
        if (volume is VolumePlan.ConfigMap map)
            await WriteAsync(map, directory);
        return directory;
    }

    private static void Demand(VolumePlan.HostPath host, string source)
    {
        if (host.Type is "DirectoryOrCreate" or "" && !Path.Exists(source))
            System.IO.Directory.CreateDirectory(source);
        else if (host.Type == "FileOrCreate" && !Path.Exists(source))
            File.Create(source).Dispose();
        if (host.Type.StartsWith("Directory", StringComparison.Ordinal)
            ? !System.IO.Directory.Exists(source) : host.Type.Length > 0 && !File.Exists(source))
            throw new InvalidOperationException(
                $"hostPath {host.Path} is not a {host.Type.Replace("OrCreate", "", StringComparison.Ordinal).ToLowerInvariant()}");
    }

    private async Task WriteAsync(VolumePlan.ConfigMap map, string directory)
    {
        var found = await _node.Api.FindAsync(ResourceTypes.ConfigMaps, Object.Namespace(), map.Name);
        if (found is null && !map.Optional)
            throw new InvalidOperationException($"the ConfigMap {map.Name}, which {Object.Name()} mounts, does not exist");
        foreach (var (key, value) in found.Pairs("data"))
            if (map.Items.Count == 0 || map.Items.ContainsKey(key))
                await File.WriteAllTextAsync(Path.Combine(directory, map.Items.GetValueOrDefault(key, key)), value);
    }

    // unused, as the kubeconfigs' credentials are; but without it the agent would take itself for outside a cluster
    private string Secrets()
    {
        var directory = Path.Combine(Directory, "serviceaccount");
        System.IO.Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "token"), $"{Object.Namespace()}:{_plan.ServiceAccount}");
        File.WriteAllText(Path.Combine(directory, "namespace"), Object.Namespace());
        File.Copy(_node.Paths.AuthorityFile, Path.Combine(directory, "ca.crt"), overwrite: true);
        return directory;
    }
}

using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Runtime.Cri;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Image;

/// <summary>
/// The pod of the rendered chart, as a kubelet would hand its containers to a runtime: commands, rights and mounts are what
/// deploy/ebpf-cni.yaml says. Only where on the node a volume is, and what is different from node to node of one machine, is the test's.
/// </summary>
internal sealed class InstalledPod
{
    /// <summary>What a kubelet has runtimes hide and write-protect in a container's /proc and /sys.</summary>
    private static readonly string[] Masked =
        ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
            "/proc/sched_debug", "/proc/scsi", "/sys/firmware"];

    private static readonly string[] ReadOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    private readonly JsonObject _spec;
    private readonly Dictionary<string, string> _places = [];

    /// <param name="image">Under this name the runtime knows it.</param>
    /// <param name="places">
    /// The node's path of a volume, by the path that the manifest has; a volume that is not here is where the manifest says.
    /// </param>
    /// <param name="configuration">Where the ConfigMap's files are put.</param>
    public InstalledPod(string image, IReadOnlyDictionary<string, string> places, string configuration)
    {
        Image = image;
        var objects = YamlManifests.Parse(File.ReadAllText(Path.Combine(Repository.Root, "deploy", "ebpf-cni.yaml")));
        _spec = (JsonObject)objects.Single(o => o.Text("kind") == "DaemonSet").At("spec", "template", "spec")!;
        foreach (var volume in _spec.Items("volumes"))
        {
            var name = volume.Text("name")!;
            if (volume.Text("hostPath", "path") is { } path)
                _places[name] = places.GetValueOrDefault(path, path);
            else
                _places[name] = Write(objects, volume.Text("configMap", "name")!, Path.Combine(configuration, name));
        }
    }

    private string Image { get; }

    public bool OnTheNodesNetwork => _spec.Flag("hostNetwork") == true;

    /// <summary>What the container may do, without CAP_.</summary>
    public IEnumerable<string> Capabilities(string container) => Find(container).Texts("securityContext", "capabilities", "add");

    /// <summary>Names of what is mounted into the container.</summary>
    public IEnumerable<string> Mounts(string container) => Find(container).Items("volumeMounts").Select(m => m.Text("name")!);

    /// <param name="name">Of the container: prepare, agent.</param>
    /// <param name="environment">Beside the manifest's.</param>
    /// <param name="without">A mount or a capability that is left out.</param>
    public ContainerConfig Container(string name, IReadOnlyDictionary<string, string> environment, string? without = null)
    {
        var container = Find(name);
        var security = container.At("securityContext");
        var config = new ContainerConfig
        {
            Metadata = new ContainerMetadata { Name = name },
            Image = new ImageSpec { Image = Image },
            Command = { container.Texts("command") },
            Args = { container.Texts("args") },
            LogPath = $"{name}.log",
            Linux = new LinuxContainerConfig
            {
                SecurityContext = new LinuxContainerSecurityContext
                {
                    NamespaceOptions = new NamespaceOption { Network = NamespaceMode.Node,
                        Pid = _spec.Flag("hostPID") == true ? NamespaceMode.Node : NamespaceMode.Container },
                    Capabilities = new Capability
                    {
                        AddCapabilities = { security.Texts("capabilities", "add").Where(c => c != without) },
                        DropCapabilities = { security.Texts("capabilities", "drop") },
                    },
                    Privileged = security.Flag("privileged") ?? false,
                    ReadonlyRootfs = security.Flag("readOnlyRootFilesystem") ?? false,
                    NoNewPrivs = security.Flag("allowPrivilegeEscalation") == false,
                    RunAsUser = new Int64Value { Value = security.Number("runAsUser") ?? 0 },
                    Seccomp = Profile(security, "seccompProfile"),
                    Apparmor = Profile(security, "appArmorProfile"),
                    MaskedPaths = { Masked },
                    ReadonlyPaths = { ReadOnly },
                },
            },
        };
        foreach (var (key, value) in environment)
            config.Envs.Add(new KeyValue { Key = key, Value = value });
        foreach (var mount in container.Items("volumeMounts").Where(m => m.Text("name") != without))
            config.Mounts.Add(new Mount
            {
                ContainerPath = mount.Text("mountPath")!,
                HostPath = _places[mount.Text("name")!],
                Readonly = mount.Flag("readOnly") ?? false,
                Propagation = mount.Text("mountPropagation") switch
                {
                    "HostToContainer" => MountPropagation.PropagationHostToContainer,
                    "Bidirectional" => MountPropagation.PropagationBidirectional,
                    _ => MountPropagation.PropagationPrivate,
                },
            });
        return config;
    }

    private JsonObject Find(string container) =>
        _spec.Items("initContainers").Concat(_spec.Items("containers")).Single(c => c.Text("name") == container);

    private static SecurityProfile Profile(JsonNode? security, string name) => new()
    {
        ProfileType = Enum.Parse<SecurityProfile.Types.ProfileType>(security.Text(name, "type") ?? "Unconfined"),
    };

    private static string Write(IReadOnlyList<JsonObject> objects, string map, string directory)
    {
        Directory.CreateDirectory(directory);
        foreach (var (key, text) in objects.Single(o => o.Text("kind") == "ConfigMap" && o.Name() == map).Pairs("data"))
            File.WriteAllText(Path.Combine(directory, key), text);
        return directory;
    }
}

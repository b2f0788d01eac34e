using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Install;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Sandbox.Tests.Cluster;

namespace Ebpf.Cni.Sandbox.Tests.Install;

public sealed class PodReaderTests
{
    private const string Pod = """
        hostNetwork: true
        serviceAccountName: ours
        terminationGracePeriodSeconds: 7
        tolerations: [{operator: Exists}]
        initContainers:
          - name: first
            command: [/bin/first]
        containers:
          - name: main
            image: registry/main:1
            command: [/bin/main, --one]
            args: [$(WHERE)]
            env:
              - {name: LITERAL, value: "1"}
              - {name: WHERE, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}}
            securityContext:
              allowPrivilegeEscalation: false
              readOnlyRootFilesystem: true
              capabilities: {drop: [ALL], add: [NET_ADMIN, CAP_BPF]}
            readinessProbe: {httpGet: {host: 127.0.0.1, port: 80, path: /ready}, periodSeconds: 3}
            volumeMounts:
              - {name: settings, mountPath: /etc/main, readOnly: true}
              - {name: node, mountPath: /var/lib/main, mountPropagation: HostToContainer, subPath: part}
        volumes:
          - {name: settings, configMap: {name: main, items: [{key: a, path: b}]}}
          - {name: node, hostPath: {path: /var/lib/main, type: DirectoryOrCreate}}
        """;

    [Fact]
    public void Everything_that_a_node_has_to_do_is_read()
    {
        var plan = PodReader.Read(Parse(Pod));
        Assert.Equal(("ours", true, TimeSpan.FromSeconds(7)), (plan.ServiceAccount, plan.ServiceAccountToken, plan.Grace));
        Assert.Equal("first", Assert.Single(plan.Preparations).Name);
        var main = Assert.Single(plan.Containers);
        Assert.Equal(("main", "registry/main:1", true, true), (main.Name, main.Image, main.ReadOnlyRoot, main.NoNewPrivileges));
        Assert.Equal(["/bin/main", "--one", "$(WHERE)"], main.Command);
        Assert.Equal([new VariablePlan("LITERAL", "1", null), new VariablePlan("WHERE", null, "spec.nodeName")], main.Environment);
        Assert.Equal(["BPF", "NET_ADMIN"], main.Capabilities);
        Assert.Equal(new ProbePlan("127.0.0.1", 80, "/ready"), main.Readiness);
        Assert.Equal(
            [new MountPlan("settings", "/etc/main", true, Propagation.None, ""),
                new MountPlan("node", "/var/lib/main", false, Propagation.HostToContainer, "part")], main.Mounts);
        Assert.Equal(new VolumePlan.HostPath("/var/lib/main", "DirectoryOrCreate"), plan.Volumes["node"]);
        var settings = Assert.IsType<VolumePlan.ConfigMap>(plan.Volumes["settings"]);
        Assert.Equal(("main", "b"), (settings.Name, settings.Items["a"]));
    }

    [Fact]
    public void A_container_that_says_nothing_has_what_a_runtime_gives_it()
    {
        var first = Assert.Single(PodReader.Read(Parse(Pod)).Preparations);
        Assert.Contains("NET_RAW", first.Capabilities);
        Assert.DoesNotContain("SYS_ADMIN", first.Capabilities);
        Assert.False(first.ReadOnlyRoot || first.NoNewPrivileges);
    }

    [Theory]
    [InlineData("hostNetwork: true", "hostNetwork: true\nhostPID: true", "spec.hostPID")]
    [InlineData("hostNetwork: true", "runtimeClassName: other", "spec.runtimeClassName")]
    [InlineData("hostNetwork: true", "hostNetwork: false", "spec.hostNetwork")]
    [InlineData("image: registry/main:1", "lifecycle: {}", "spec.containers[main].lifecycle")]
    [InlineData("image: registry/main:1", "envFrom: []", "spec.containers[main].envFrom")]
    [InlineData("value: \"1\"", "valueFrom: {secretKeyRef: {name: a, key: b}}",
        "spec.containers[main].env[LITERAL].valueFrom.secretKeyRef")]
    [InlineData("command: [/bin/main, --one]", "stdin: false", "spec.containers[main].command")]
    [InlineData("allowPrivilegeEscalation: false", "privileged: true", "spec.containers[main].securityContext.privileged")]
    [InlineData("allowPrivilegeEscalation: false", "runAsUser: 1000", "spec.containers[main].securityContext.runAsUser")]
    [InlineData("readOnly: true", "recursiveReadOnly: Enabled", "spec.containers[main].volumeMounts[settings].recursiveReadOnly")]
    [InlineData("mountPropagation: HostToContainer", "mountPropagation: Sideways",
        "spec.containers[main].volumeMounts[node].mountPropagation")]
    [InlineData("subPath: part", "subPath: ../part", "spec.containers[main].volumeMounts[node].subPath")]
    [InlineData("mountPath: /etc/main", "mountPath: etc", "spec.containers[main].volumeMounts[settings].mountPath")]
    [InlineData("httpGet: {host: 127.0.0.1, port: 80, path: /ready}", "grpc: {port: 80}", "spec.containers[main].readinessProbe.grpc")]
    [InlineData("configMap: {name: main, items: [{key: a, path: b}]}", "secret: {secretName: main}", "spec.volumes[settings].secret")]
    [InlineData("type: DirectoryOrCreate", "type: BlockDevice", "spec.volumes[node].hostPath.type")]
    [InlineData("name: node, hostPath", "name: other, hostPath", "main mounts the volume node")]
    public void What_is_not_understood_is_refused_by_name(string written, string instead, string name)
    {
        Assert.Contains(written, Pod, StringComparison.Ordinal);
        var refused = Assert.Throws<FormatException>(() => PodReader.Read(Parse(Pod.Replace(written, instead, StringComparison.Ordinal))));
        Assert.Contains(name, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_that_is_wrong_is_told_at_once()
    {
        var refused = Assert.Throws<FormatException>(() => PodReader.Read(Parse(Pod + "\nhostIPC: true\nos: {name: linux}\n")));
        Assert.Contains("spec.hostIPC", refused.Message, StringComparison.Ordinal);
        Assert.Contains("spec.os", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_rendered_chart_is_understood_to_the_last_field()
    {
        var manifest = await InstallManifest.ReadAsync(FakeArtifacts.RealManifest, TestContext.Current.CancellationToken);
        var main = Assert.Single(manifest.Pod.Containers);
        Assert.Equal(["/opt/ebpf-cni/ebpf-cni-agent", "--config", "/etc/ebpf-cni/agent.json"], main.Command);
        Assert.Equal("/opt/ebpf-cni/ebpf-cni-agent prepare --host-proc /host/proc",
            string.Join(' ', Assert.Single(manifest.Pod.Preparations).Command.Take(4)));
        Assert.True(main.ReadOnlyRoot && main.NoNewPrivileges);
        Assert.DoesNotContain("NET_RAW", main.Capabilities);
        Assert.Contains("agent.json",
            manifest.ConfigMapData(manifest.Pod.Volumes.Values.OfType<VolumePlan.ConfigMap>().Single().Name).Keys);
    }

    [Theory]
    [InlineData("ebpf-cni.yaml", "agent")]
    [InlineData("ebpf-cni-chained.yaml", "agent")]
    [InlineData("ebpf-cni-cleanup.yaml", "stay")]
    public async Task Every_shipped_manifest_is_understood(string file, string container)
    {
        var manifest = await InstallManifest.ReadAsync(Path.Combine(Shipped, file), TestContext.Current.CancellationToken);
        Assert.Equal(container, Assert.Single(manifest.Pod.Containers).Name);
    }

    [Fact]
    public void No_shipped_manifest_is_left_out() => Assert.Equal(3, Directory.GetFiles(Shipped, "*.yaml").Length);

    private static string Shipped => Path.GetDirectoryName(FakeArtifacts.RealManifest)!;

    private static JsonObject Parse(string yaml) => YamlManifests.Parse(yaml).Single();
}

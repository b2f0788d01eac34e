using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Controllers;

public sealed class EndpointSliceTests : ControllerTest
{
    private const string Service = """
        apiVersion: v1
        kind: Service
        metadata: {name: hello}
        spec:
          ipFamilyPolicy: PreferDualStack
          selector: {app: web}
          ports: [{name: http, port: 80, targetPort: web}, {name: raw, port: 81, protocol: UDP, targetPort: 9000}]
        """;

    [Fact]
    public async Task Endpoints_follow_addresses_readiness_and_the_end_of_pods_in_both_families()
    {
        Apply(Service);
        await Soon(() => Slices("IPv4").Count == 1 && Slices("IPv6").Count == 1, "an empty slice for each family");
        MakePod("p", 8080);
        await Soon(() => Pods()[0].Text("spec", "nodeName") is not null, "the pod is bound");
        Assert.Empty(Endpoints("IPv4"));

        Report("p", 7, ready: false);
        await Soon(() => Conditions("IPv4") == "10.244.0.7:ready=false,serving=false,terminating=false", "it is there, not ready");
        Report("p", 7, ready: true);
        await Soon(() => Conditions("IPv6") == "fd44::7:ready=true,serving=true,terminating=false", "it is ready");
        Assert.Equal("node-a", Endpoints("IPv4").Single().Text("nodeName"));
        Assert.Equal([("http", 8080L, "TCP"), ("raw", 9000L, "UDP")],
            Slices("IPv4").Single().Items("ports").Select(p => (p.Text("name"), p.Number("port") ?? 0, p.Text("protocol"))));

        Resources.Delete(ResourceTypes.Pods, "default", "p");
        await Soon(() => Conditions("IPv4") == "10.244.0.7:ready=false,serving=true,terminating=true", "it serves while it ends");
        Store.Remove(ResourceTypes.Pods, "default", "p");
        await Soon(() => !Endpoints("IPv4").Any() && !Endpoints("IPv6").Any(), "it is gone");
    }

    [Fact]
    public async Task Pods_that_name_another_port_get_a_slice_of_their_own()
    {
        Apply(Service);
        MakePod("p", 8080);
        MakePod("q", 9090);
        await Soon(() => Pods().TrueForAll(p => p.Text("spec", "nodeName") is not null), "both are bound");
        Report("p", 1, ready: true);
        Report("q", 2, ready: true);
        await Soon(() => string.Join(',', Slices("IPv4").Select(s => s.Items("ports").FirstOrDefault().Number("port"))
            .Order()) == "8080,9090", "one slice for each port");
    }

    [Fact]
    public async Task More_than_a_hundred_endpoints_take_several_slices_and_one_change_writes_one_of_them()
    {
        Apply(Service);
        for (var i = 0; i < 130; i++)
        {
            var name = "p" + i.ToString(CultureInfo.InvariantCulture);
            MakePod(name, 8080);
            Report(name, i, ready: true);
        }

        await Soon(() => Endpoints("IPv4").Count() == 130 && Endpoints("IPv6").Count() == 130
            && Pods().TrueForAll(p => p.Text("spec", "nodeName") is not null) && Endpoints("IPv4").All(e => e.Text("nodeName") is not null),
            "all are in");
        Assert.Equal(2, Slices("IPv4").Count);
        Assert.All(Slices("IPv4"), s => Assert.InRange(s.Items("endpoints").Count(), 1, 100));
        var before = Slices("IPv4").ToDictionary(s => s.Name(), s => s.Text("metadata", "resourceVersion"));
        Report("p5", 5, ready: false);
        await Soon(() => Endpoints("IPv4").Count(e => e.Flag("conditions", "ready") == false) == 1, "one is no longer ready");
        Assert.Equal(1, Slices("IPv4").Count(s => before[s.Name()] != s.Text("metadata", "resourceVersion")));
    }

    [Fact]
    public async Task Slices_made_by_hand_are_left_alone_and_those_of_a_deleted_service_go()
    {
        Apply(Service);
        await Soon(() => Slices("IPv4").Count == 1, "its slice");
        Resources.Create(ResourceTypes.EndpointSlices, "default", Object("""{"metadata":{"name":"mine","labels":{"kubernetes.io/service-name":"hello"}},"addressType":"IPv4","endpoints":[],"ports":[]}"""));
        Resources.Delete(ResourceTypes.Services, "default", "hello");
        await Soon(() => string.Join(',', Store.List(ResourceTypes.EndpointSlices).Select(s => s.Json.Name())) == "mine",
            "only the one made by hand is left");
    }

    [Fact]
    public async Task Hints_name_zones_and_nodes_as_the_distribution_says_and_only_for_ready_endpoints()
    {
        foreach (var (node, zone) in ((string, string)[])[("node-a", "east"), ("node-b", "west")])
            Store.Update(ResourceTypes.Nodes, "", node, n =>
            {
                n.Child("metadata").Child("labels")["topology.kubernetes.io/zone"] = zone;
                return n;
            });
        Apply(Service);
        MakePod("p", 8080);
        MakePod("q", 8080);
        MakePod("r", 8080);
        await Soon(() => Pods().TrueForAll(p => p.Text("spec", "nodeName") is not null), "all are bound");
        Report("p", 1, ready: true);
        Report("q", 2, ready: true);
        Report("r", 3, ready: false);
        await Soon(() => Endpoints("IPv4").Count() == 3
            && Endpoints("IPv4").All(e => e.Text("zone") == (e.Text("nodeName") == "node-a" ? "east" : "west")), "zones are known");
        Assert.All(Endpoints("IPv4"), e => Assert.Null(e["hints"]));

        foreach (var distribution in (string[])["PreferClose", "PreferSameZone"])
        {
            Distribute(distribution);
            await Soon(() => Hints() == "1:east/ 2:west/ 3:/", $"hints of {distribution}: {Hints()}");
        }
        Distribute("PreferSameNode");
        await Soon(() => Hints() == "1:east/node-a 2:west/node-b 3:/", "hints of PreferSameNode");
        Distribute(null);
        await Soon(() => Hints() == "1:/ 2:/ 3:/", "no hints");
        Resources.Patch(ResourceTypes.Services, "default", "hello", Sandbox.Api.Patching.PatchKind.Merge, Object("""{"metadata":{"annotations":{"service.kubernetes.io/topology-mode":"Auto"}}}"""));
        await Soon(() => Hints() == "1:east/ 2:west/ 3:/", "an even distribution");
        Report("r", 3, ready: true);
        await Soon(() => Hints() == "1:/ 2:/ 3:/", "no longer even");

        void Distribute(string? how) => Resources.Patch(
            ResourceTypes.Services, "default", "hello", Sandbox.Api.Patching.PatchKind.Merge,
            new JsonObject { ["spec"] = new JsonObject { ["trafficDistribution"] = how } });
        string Hints() => string.Join(' ', Endpoints("IPv4").OrderBy(e => e.Texts("addresses").Single(), StringComparer.Ordinal).Select(e =>
            $"{e.Texts("addresses").Single()[^1]}:{string.Join(',', e.Items("hints", "forZones").Select(z => z.Text("name")))}/"
            + string.Join(',', e.Items("hints", "forNodes").Select(n => n.Text("name")))));
    }

    [Fact]
    public async Task Unready_endpoints_are_published_on_request_and_failed_pods_never()
    {
        Apply(Service + "\n  publishNotReadyAddresses: true\n");
        MakePod("p", 8080);
        MakePod("q", 8080);
        await Soon(() => Pods().TrueForAll(p => p.Text("spec", "nodeName") is not null), "both are bound");
        Report("p", 7, ready: false);
        Report("q", 8, ready: true);
        Resources.Delete(ResourceTypes.Pods, "default", "p");
        await Soon(() => Conditions("IPv4").Contains("10.244.0.7:ready=true,serving=false,terminating=true", StringComparison.Ordinal),
            "an ending pod is ready for this service");
        Store.Update(ResourceTypes.Pods, "default", "q", q =>
        {
            q.Child("status")["phase"] = "Failed";
            q.Child("status")["reason"] = "Evicted";
            return q;
        });
        await Soon(() => !Conditions("IPv4").Contains("10.244.0.8", StringComparison.Ordinal), "an evicted pod is none");
        var trigger = Slices("IPv4").Single().Text("metadata", "annotations", "endpoints.kubernetes.io/last-change-trigger-time");
        Assert.True(DateTimeOffset.TryParse(trigger, CultureInfo.InvariantCulture, out _), trigger);
    }

    [Fact]
    public async Task Ports_of_sidecars_have_names_too()
    {
        Apply(Service);
        Resources.Create(ResourceTypes.Pods, "default", Object("""
            {"metadata":{"name":"p","labels":{"app":"web"}},"spec":{
              "initContainers":[{"name":"s","image":"i","restartPolicy":"Always","ports":[{"name":"web","containerPort":8123}]}],
              "containers":[{"name":"c","image":"i"}]}}
            """));
        await Soon(() => Pods()[0].Text("spec", "nodeName") is not null, "it is bound");
        Report("p", 7, ready: true);
        await Soon(() => Slices("IPv4").Exists(s => s.Items("ports").FirstOrDefault().Number("port") == 8123), "the sidecar's port");
    }

    private void MakePod(string name, int port) => Resources.Create(ResourceTypes.Pods, "default", (JsonObject)JsonNode.Parse($$$"""
        {"metadata":{"name":"{{{name}}}","labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"i","ports":[{"name":"web","containerPort":{{{port.ToString(CultureInfo.InvariantCulture)}}}}]}]}}
        """)!);

    private string Conditions(string family) => string.Join(';', Endpoints(family).Select(e =>
        e.Texts("addresses").Single() + ":" + string.Join(
            ',', ((JsonObject)e["conditions"]!).Select(c => $"{c.Key}={(c.Value.Flag() == true ? "true" : "false")}"))));
}

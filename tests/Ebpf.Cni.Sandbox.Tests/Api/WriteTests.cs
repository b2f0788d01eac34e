using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

public sealed class WriteTests : ApiTest
{
    private const string Pod = """{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i","env":[{"name":"A","value":"1"}]}]}}""";
    private const string Pods = "/api/v1/namespaces/default/pods";

    [Fact]
    public async Task A_write_that_names_an_older_version_conflicts_and_changes_nothing()
    {
        var first = Make("a").Json.ToJsonString();
        Assert.Equal(200, (await SendAsync(HttpMethod.Put, ConfigMaps + "/a",
            first.Replace("\"value\":\"1\"", "\"value\":\"2\"", StringComparison.Ordinal))).Code);
        var (code, status) = await SendAsync(HttpMethod.Put, ConfigMaps + "/a",
            first.Replace("\"value\":\"1\"", "\"value\":\"3\"", StringComparison.Ordinal));
        Assert.Equal((409, "Conflict"), (code, status.Text("reason")));
        Assert.Equal("2", (await GetAsync(ConfigMaps + "/a")).Json.Text("data", "value"));
    }

    [Fact]
    public async Task A_write_that_changes_nothing_makes_no_version()
    {
        var made = Make("a");
        var (code, same) = await SendAsync(HttpMethod.Put, ConfigMaps + "/a", made.Json.ToJsonString());
        Assert.Equal((200, made.Json.Text("metadata", "resourceVersion")), (code, same.Text("metadata", "resourceVersion")));
    }

    [Theory]
    [InlineData("application/merge-patch+json", """{"data":{"value":null,"x":"y"}}""", """{"x":"y"}""")]
    [InlineData("application/strategic-merge-patch+json", """{"data":{"x":"y"}}""", """{"value":"1","x":"y"}""")]
    [InlineData("application/json-patch+json", """[{"op":"test","path":"/data/value","value":"1"},{"op":"add","path":"/data/a~1b","value":"y"},{"op":"remove","path":"/data/value"}]""", """{"a/b":"y"}""")]
    [InlineData("application/apply-patch+yaml", "data: {x: y}\n", """{"value":"1","x":"y"}""")]
    public async Task Each_kind_of_patch_does_what_it_says(string contentType, string patch, string expected)
    {
        Make("a");
        var (code, result) = await SendAsync(HttpMethod.Patch, ConfigMaps + "/a", patch, contentType);
        Assert.Equal(200, code);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), result.At("data")), result.At("data")?.ToJsonString());
    }

    [Fact]
    public async Task Empty_members_of_metadata_are_left_out()
    {
        const string Empty = """{"metadata":{"name":"b","labels":{},"annotations":{},"finalizers":[]},"data":{}}""";
        var made = (await SendAsync(HttpMethod.Post, ConfigMaps, Empty)).Json!.AsObject();
        var patch = """{"metadata":{"annotations":{}}}""";
        var patched = (await SendAsync(HttpMethod.Patch, ConfigMaps + "/b", patch, "application/merge-patch+json")).Json!.AsObject();
        string[] present = ["creationTimestamp", "name", "namespace", "resourceVersion", "uid"];
        Assert.All([made, patched], json => Assert.Equal(present, json.Child("metadata").Select(p => p.Key).Order(StringComparer.Ordinal)));
    }

    [Theory]
    [InlineData("application/json-patch+json", """[{"op":"test","path":"/data/value","value":"9"}]""", 422)]
    [InlineData("application/json-patch+json", """[{"op":"remove","path":"/nowhere/at/all"}]""", 422)]
    [InlineData("application/json-patch+json", """{"data":{}}""", 400)]
    [InlineData("application/merge-patch+json", "{", 400)]
    [InlineData("text/plain", "{}", 415)]
    public async Task A_patch_that_cannot_be_applied_leaves_the_object_as_it_was(string contentType, string patch, int expected)
    {
        var made = Make("a");
        Assert.Equal(expected, (await SendAsync(HttpMethod.Patch, ConfigMaps + "/a", patch, contentType)).Code);
        Assert.Equal(made.ResourceVersion, Server.Store.Get(ResourceTypes.ConfigMaps, "default", "a")!.ResourceVersion);
    }

    [Fact]
    public async Task Strategic_merge_merges_lists_by_their_key_and_follows_directives()
    {
        await SendAsync(HttpMethod.Post, Pods, Pod);
        var patch = """{"spec":{"containers":[{"name":"c","env":[{"name":"B","value":"2"},{"name":"A","$patch":"delete"}]},{"name":"d","image":"j"}]}}""";
        var (_, pod) = await SendAsync(HttpMethod.Patch, Pods + "/p", patch, "application/strategic-merge-patch+json");
        Assert.Equal(["c", "d"], pod.Items("spec", "containers").Select(c => c.Text("name")));
        Assert.Equal("i", pod.Items("spec", "containers").First().Text("image"));
        Assert.Equal(["B"], pod.Items("spec", "containers").First().Items("env").Select(e => e.Text("name")));
    }

    [Fact]
    public async Task Status_and_the_rest_are_written_apart()
    {
        await SendAsync(HttpMethod.Post, Pods, Pod);
        var both = """{"metadata":{"labels":{"x":"y"}},"status":{"phase":"Running"}}""";
        var (_, afterMain) = await SendAsync(HttpMethod.Patch, Pods + "/p", both, "application/merge-patch+json");
        Assert.Equal(("y", "Pending"), (afterMain.Text("metadata", "labels", "x"), afterMain.Text("status", "phase")));
        var (_, afterStatus) = await SendAsync(HttpMethod.Patch, Pods + "/p/status", """{"metadata":{"labels":{"x":"z"}},"status":{"phase":"Running"}}""", "application/merge-patch+json");
        Assert.Equal(("y", "Running"), (afterStatus.Text("metadata", "labels", "x"), afterStatus.Text("status", "phase")));
    }

    [Fact]
    public async Task A_pod_on_a_node_is_marked_and_others_go_at_once()
    {
        await SendAsync(HttpMethod.Post, Pods, Pod);
        var (_, marked) = await SendAsync(HttpMethod.Delete, Pods + "/p", """{"gracePeriodSeconds":7}""");
        Assert.NotNull(marked.Text("metadata", "deletionTimestamp"));
        Assert.Equal(7, marked.Number("metadata", "deletionGracePeriodSeconds"));
        Assert.Equal(200, (await SendAsync(HttpMethod.Delete, Pods + "/p?gracePeriodSeconds=0")).Code);
        Assert.Equal(404, (await GetAsync(Pods + "/p")).Code);
    }

    [Theory]
    [InlineData(ConfigMaps, """{"metadata":{"name":"Not_A_Name"}}""", 422)]
    [InlineData(ConfigMaps, """{"kind":"Pod","metadata":{"name":"a"}}""", 400)]
    [InlineData(ConfigMaps, """{"metadata":{"name":"a","namespace":"other"}}""", 400)]
    [InlineData("/api/v1/namespaces/nowhere/configmaps", """{"metadata":{"name":"a"}}""", 404)]
    [InlineData(Pods, """{"metadata":{"name":"a"},"spec":{}}""", 422)]
    [InlineData(Services, """{"metadata":{"name":"a"},"spec":{"ports":[{"port":0}]}}""", 422)]
    [InlineData(Services, """{"metadata":{"name":"a"},"spec":{"clusterIP":"999.1.1.1","ports":[{"port":1}]}}""", 422)]
    [InlineData(Services, """{"metadata":{"name":"a"},"spec":{"clusterIP":"11.1.1.1","ports":[{"port":1}]}}""", 422)]
    [InlineData("/apis/nothing/v1/things", "{}", 404)]
    [InlineData(ConfigMaps, "[1,2", 400)]
    public async Task Nonsense_is_refused_with_a_status_and_stored_nowhere(string path, string body, int expected)
    {
        var before = Server.Store.ResourceVersion;
        var (code, status) = await SendAsync(HttpMethod.Post, path, body);
        Assert.Equal((expected, "Failure"), (code, status.Text("status")));
        Assert.Equal(before, Server.Store.ResourceVersion);
    }

    [Fact]
    public async Task Names_are_generated_and_unique()
    {
        var names = new HashSet<string>();
        for (var i = 0; i < 20; i++)
            Assert.True(names.Add((await SendAsync(HttpMethod.Post, ConfigMaps, """{"metadata":{"generateName":"x-"}}""")).Json.Name()));
        Assert.All(names, n => Assert.StartsWith("x-", n, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_namespace_takes_its_contents_with_it()
    {
        await SendAsync(HttpMethod.Post, "/api/v1/namespaces", """{"metadata":{"name":"n"}}""");
        await SendAsync(HttpMethod.Post, "/api/v1/namespaces/n/configmaps", """{"metadata":{"name":"a"}}""");
        Assert.Equal(200, (await SendAsync(HttpMethod.Delete, "/api/v1/namespaces/n")).Code);
        Assert.Null(Server.Store.Get(ResourceTypes.ConfigMaps, "n", "a"));
    }
}

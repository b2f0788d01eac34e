using Ebpf.Cni.Chart.Tests.Rendering;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Testing;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Chart.Tests.Objects;

/// <summary>
/// The role allows what the agent's own code asks of an API server, and nothing else. The one table is the code: it runs against a server
/// that writes down what it would have to be allowed.
/// </summary>
public sealed class RoleTests
{
    [Fact]
    public async Task The_role_is_what_the_agent_asks_for()
    {
        var role = (await Variants.RenderAsync(Variants.Full)).Only<V1ClusterRole>();
        var allowed = role.Rules
            .SelectMany(r => r.ApiGroups.SelectMany(g => r.Resources.SelectMany(s => r.Verbs.Select(v => new Access(g, s, v)))))
            .OrderBy(a => a.ToString(), StringComparer.Ordinal);
        Assert.Equal(await AskedAsync(expected: 7), allowed);
        Assert.All(role.Rules, r => Assert.True(r.ResourceNames is null && r.NonResourceURLs is null));
    }

    [Fact]
    public async Task Profiles_have_the_same_role() => Assert.Equal(
        Rules(await Variants.RenderAsync(Variants.Full)), Rules(await Variants.RenderAsync(Variants.Chained)));

    [Theory]
    [InlineData("GET", "/api/v1/services", true, "/services/watch")]
    [InlineData("GET", "/api/v1/nodes/node-1", false, "/nodes/get")]
    [InlineData("PATCH", "/api/v1/nodes/node-1/status", false, "/nodes/status/patch")]
    [InlineData("POST", "/api/v1/namespaces/default/events", false, "/events/create")]
    [InlineData("DELETE", "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices/b", false, "discovery.k8s.io/endpointslices/delete")]
    public void Control_requests_are_told_apart(string method, string path, bool watch, string expected)
    {
        var access = RecordingApi.Read(method, path, watch);
        Assert.Equal(expected, $"{access.Group}/{access.Resource}/{access.Verb}");
    }

    private static string Rules(Manifest manifest) =>
        string.Join('\n', manifest.Objects.Where(o => (string?)o["kind"] == "ClusterRole").Select(o => o["rules"]!.ToJsonString()));

    private static async Task<IReadOnlyList<Access>> AskedAsync(int expected)
    {
        await using var api = await RecordingApi.StartAsync();
        using var connection = KubernetesConnection.Anonymous(api.Address);
        using var stop = new CancellationTokenSource();
        var watcher = new ClusterWatcher(connection, new SnapshotStore(TimeProvider.System), NullLogger<ClusterWatcher>.Instance);
        var events = new IssueEvents(connection, "node-1", NullLogger<IssueEvents>.Instance);
        var running = Task.WhenAll(watcher.RunAsync(stop.Token), events.RunAsync(stop.Token));
        events.Report([new CompileIssue("Service", new ObjectName("shop", "cart"), "", "BadAddress", "of no importance")]);
        await Eventually.True(() => api.Asked.Count >= expected && events.Posted == 1, "what the agent asks for");
        await stop.CancelAsync();
        await running;
        return api.Asked;
    }
}

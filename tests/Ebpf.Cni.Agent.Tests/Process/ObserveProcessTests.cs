using System.Net.Sockets;
using System.Text.Json;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>The agent as a process, asked over its unix socket.</summary>
public class ObserveProcessTests
{
    private const string Service =
        """{"metadata":{"namespace":"default","name":"web","uid":"u1","resourceVersion":"1"},"spec":{"type":"ClusterIP","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"ports":[{"name":"http","protocol":"TCP","port":80}]}}""";

    private const string Slice =
        """{"metadata":{"namespace":"default","name":"web-1","uid":"u3","resourceVersion":"1","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","ports":[{"name":"http","protocol":"TCP","port":8080}],"endpoints":[{"addresses":["10.201.0.5"],"conditions":{"ready":true},"nodeName":"n1"}]}""";

    private const string Node =
        """{"metadata":{"name":"n1","uid":"u4","resourceVersion":"1"},"spec":{"podCIDR":"10.201.0.0/24","podCIDRs":["10.201.0.0/24"]},"status":{"addresses":[{"type":"InternalIP","address":"192.168.7.1"}]}}""";

    [Fact]
    public async Task What_the_kernel_holds_is_answered_on_the_unix_socket_and_nowhere_else()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = new SmallApi(agent.Namespace, new() { ["services"] = Service, ["endpointslices"] = Slice, ["nodes"] = Node });
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(agent["run"], "observe.sock")));
        Assert.Equal(AgentLock.OwnerOnly, File.GetUnixFileMode(agent["run"]));

        using var http = Client(agent);
        var status = await Get(http, "/v1/status");
        Assert.True(status.GetProperty("ready").GetBoolean());
        Assert.Equal(("n1", "off", 1), (
            status.GetProperty("node").GetString(), status.GetProperty("mode").GetProperty("socketLb").GetString(),
            status.GetProperty("counts").GetProperty("frontends").GetInt32()));
        Assert.Equal("10.201.0.0/24", status.GetProperty("network").GetProperty("podCidrs")[0].GetString());
        Assert.Contains(
            status.GetProperty("errors").EnumerateArray(),
            e => e.GetProperty("message").GetString()!.Contains("no uplink found", StringComparison.Ordinal));

        var service = await Get(http, "/v1/services/default/web");
        var frontend = service.GetProperty("frontends")[0];
        Assert.Equal(("10.96.0.1", "ok"), (frontend.GetProperty("address").GetString(), frontend.GetProperty("state").GetString()));
        Assert.Equal(("10.201.0.5", "n1"), (frontend.GetProperty("served")[0].GetProperty("address").GetString(),
            frontend.GetProperty("served")[0].GetProperty("node").GetString()));
        Assert.Equal(1, (await Get(http, "/v1/services")).GetProperty("total").GetInt32());
        Assert.Equal(0, (await Get(http, "/v1/services?namespace=other")).GetProperty("total").GetInt32());
        Assert.Equal("10.201.0.0/24", (await Get(http, "/v1/ipcache")).GetProperty("prefixes")[0].GetProperty("prefix").GetString());
        Assert.Equal(0, (await Get(http, "/v1/endpoints")).GetProperty("total").GetInt32());
        Assert.Equal(0, (await Get(http, "/v1/conntrack")).GetProperty("total").GetInt32());

        Assert.Equal((404, 404), (agent.Get(10249, "/v1/status").Status, agent.Get(10256, "/v1/status").Status));
        Assert.Equal(200, agent.Get(10249, "/metrics").Status);
        Assert.All(new[] { ("/metrics", 404), ("/v1/services/default/none", 404), ("/v1/services/a/b/c", 404),
            ("/v1/conntrack?limit=x", 400), ("/v1/conntrack?client=nobody", 400) }, expected =>
            Assert.Equal(expected.Item2, (int)http.GetAsync(new Uri(expected.Item1, UriKind.Relative)).GetAwaiter()
                .GetResult().StatusCode));
        using var post = await http.PostAsync(new Uri("/v1/status", UriKind.Relative), null);
        Assert.Equal(405, (int)post.StatusCode);
    }

    [Fact]
    public async Task An_agent_that_waits_for_the_API_says_so()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = new SmallApi(agent.Namespace, []);
        agent.Start(api.Kubeconfig.Replace("http://127.0.0.1:", "http://127.0.0.2:", StringComparison.Ordinal));
        using var http = Client(agent);
        JsonElement status = default;
        await Eventually.True(
            async () =>
            {
                try
                {
                    status = await Get(http, "/v1/status");
                    return status.GetProperty("tables").GetArrayLength() > 0;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            }, "the agent answers");
        Assert.False(status.GetProperty("ready").GetBoolean());
        Assert.Contains("the cluster was not applied to the kernel yet",
            status.GetProperty("notReady").EnumerateArray().Select(r => r.GetString()));
        Assert.Equal(JsonValueKind.Null, status.GetProperty("sync").GetProperty("lastApplied").ValueKind);
    }

    private static HttpClient Client(AgentProcess agent) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancel) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(agent["run"], "observe.sock")), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        },
    }) { BaseAddress = new Uri("http://agent/") };

    private static async Task<JsonElement> Get(HttpClient http, string path) =>
        JsonDocument.Parse(await http.GetStringAsync(new Uri(path, UriKind.Relative))).RootElement;
}

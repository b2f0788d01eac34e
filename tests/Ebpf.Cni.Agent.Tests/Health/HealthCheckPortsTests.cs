using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ebpf.Cni.Agent.Health;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sync.State;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Agent.Tests.Health;

/// <summary>Health check node ports over real sockets, in a namespace whose ports are all free.</summary>
public sealed class HealthCheckPortsTests : IDisposable
{
    private static readonly ObjectName Web = new("default", "web");

    private readonly FakeTimeProvider _time = new();
    private readonly NetworkNamespace? _node = Environment.IsPrivilegedProcess ? NetworkNamespace.CreateAnonymous() : null;
    private readonly SyncStatus _status;
    private readonly HealthCheckPorts _ports;

    public HealthCheckPortsTests()
    {
        _status = new SyncStatus(_time, TimeSpan.FromSeconds(60));
        _ports = new HealthCheckPorts(_status, NullLogger<HealthCheckPorts>.Instance);
    }

    public void Dispose()
    {
        _ports.Dispose();
        _node?.Dispose();
    }

    [Fact]
    public void The_answer_is_kube_proxys_byte_for_byte()
    {
        Requires.Root();
        Apply(new DesiredHealthCheck(Web, 32000, 2));
        var answer = Ask(32000);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
        Assert.All(
            ["Content-Type: application/json", "X-Content-Type-Options: nosniff", "X-Load-Balancing-Endpoint-Weight: 2"],
            header => Assert.Contains($"\r\n{header}\r\n", answer, StringComparison.Ordinal));
        Assert.EndsWith(
            "\r\n\r\n{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"web\"\n\t},\n\t\"localEndpoints\": "
                + "2,\n\t\"serviceProxyHealthy\": true\n}",
            answer, StringComparison.Ordinal);
        Assert.EndsWith("close\r\n\r\n", Ask(32000, "HEAD"), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_local_endpoint_and_without_health_it_is_503()
    {
        Requires.Root();
        Apply(new DesiredHealthCheck(Web, 32000, 0));
        Assert.StartsWith("HTTP/1.1 503 ", Ask(32000), StringComparison.Ordinal);
        Apply(new DesiredHealthCheck(Web, 32000, 1));
        Assert.StartsWith("HTTP/1.1 200 ", Ask(32000), StringComparison.Ordinal);
        _status.Queued(_time.GetTimestamp());
        _time.Advance(TimeSpan.FromSeconds(61));
        var answer = Ask(32000);
        Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"serviceProxyHealthy\": false", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_that_is_being_deleted_still_answers_for_its_endpoints()
    {
        Requires.Root();
        _status.SetEligible(false);
        Apply(new DesiredHealthCheck(Web, 32000, 1));
        Assert.StartsWith("HTTP/1.1 200 ", Ask(32000), StringComparison.Ordinal);
    }

    [Fact]
    public void Ports_follow_their_services_at_once()
    {
        Requires.Root();
        var other = new ObjectName("default", "other");
        Apply(new DesiredHealthCheck(Web, 32000, 1));
        Apply(new DesiredHealthCheck(Web, 32001, 1), new DesiredHealthCheck(other, 32000, 0));
        Assert.StartsWith("HTTP/1.1 200 ", Ask(32001), StringComparison.Ordinal);
        Assert.Contains("\"name\": \"other\"", Ask(32000), StringComparison.Ordinal);
        Apply();
        Assert.Equal(("", ""), (Ask(32000), Ask(32001)));
    }

    [Fact]
    public void A_port_that_somebody_has_is_told_and_taken_once_it_is_free()
    {
        Requires.Root();
        var holder = _node!.Run(() =>
        {
            var listener = new TcpListener(IPAddress.Any, 32000);
            listener.Start();
            return listener;
        });
        var failure = Assert.Single(_node.Run(() => _ports.Apply(State(new(Web, 32000, 1), new(new("default", "fine"), 32001, 1)))));
        Assert.Equal(Web, failure.Check.Service);
        Assert.StartsWith("HTTP/1.1 200 ", Ask(32001), StringComparison.Ordinal);
        holder.Dispose();
        Apply(new DesiredHealthCheck(Web, 32000, 1), new DesiredHealthCheck(new("default", "fine"), 32001, 1));
        Assert.StartsWith("HTTP/1.1 200 ", Ask(32000), StringComparison.Ordinal);
    }

    [Fact]
    public void Peers_that_say_nothing_or_nonsense_do_not_keep_others_out()
    {
        Requires.Root();
        Apply(new DesiredHealthCheck(Web, 32000, 1));
        var silent = Enumerable.Range(0, 200).Select(_ => _node!.Run(() => new TcpClient("127.0.0.1", 32000))).ToList();
        Assert.Equal("", Ask(32000, new string('x', 9000)));
        Assert.StartsWith("HTTP/1.1 200 ", Ask(32000), StringComparison.Ordinal);
        silent.ForEach(p => p.Dispose());
    }

    private void Apply(params DesiredHealthCheck[] desired) => Assert.Empty(_node!.Run(() => _ports.Apply(State(desired))));

    private static DesiredState State(params DesiredHealthCheck[] checks) =>
        new() { ChecksByService = checks.ToImmutableSortedDictionary(c => c.Service, c => c) };

    /// <summary>The whole answer; "" when nobody listens, or the peer hangs up.</summary>
    private string Ask(int port, string method = "GET") => _node!.Run(() =>
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", port);
            client.ReceiveTimeout = 10_000;
            client.GetStream().Write(Encoding.ASCII.GetBytes($"{method} / HTTP/1.1\r\nHost: n1\r\n\r\n"));
            using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return "";
        }
    });
}

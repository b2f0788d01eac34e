using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api.Admission;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>
/// A cloud's load balancer, small: gives each Service of the type an address of its range, writes it into the status, and routes it from
/// outside to one node. For the Local policy that is a node whose health check answers 200; it stays until it fails.
/// </summary>
internal sealed class SandboxLoadBalancer : IAsyncDisposable
{
    // health checks are questions: nothing tells when an answer changes
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly ApiClient _client;
    private readonly SandboxOutside _outside;
    private readonly IReadOnlyDictionary<string, SandboxNode> _nodes;
    private readonly HttpClient _http;
    private readonly ConcurrentDictionary<string, JsonObject> _services = new();
    private readonly Dictionary<string, List<IPAddress>> _addresses = [];
    private readonly Dictionary<IPAddress, string> _targets = [];
    private readonly Dictionary<string, AddressAllocator> _pools = new()
    {
        ["IPv4"] = new(OutsideAddresses.LoadBalancersV4),
        ["IPv6"] = new(OutsideAddresses.LoadBalancersV6),
    };
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public SandboxLoadBalancer(ApiClient client, SandboxOutside outside, IReadOnlyDictionary<string, SandboxNode> nodes)
    {
        _client = client;
        _outside = outside;
        _nodes = nodes;
        _http = NamespaceSockets.CreateHttpClient(outside.Namespace, Patience);
        var follower = new ObjectFollower(client, ResourceTypes.Services);
        _running = Task.WhenAll(
            follower.RunAsync(service => _services[service.Uid()] = service, service => _services.TryRemove(service.Uid(), out _),
                _stop.Token),
            RunAsync(_stop.Token));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(Interval);
        while (await timer.WaitForNextTickAsync(ct))
        {
            var balanced = _services.Values.Where(service =>
                service.Text("spec", "type") == "LoadBalancer" && service.Text("spec", "loadBalancerClass") is null).ToList();
            foreach (var gone in _addresses.Keys.Except(balanced.Select(service => service.Uid())).ToList())
                Release(gone);
            foreach (var service in balanced)
                await ServeAsync(service, ct);
        }
    }

    private async Task ServeAsync(JsonObject service, CancellationToken ct)
    {
        var families = service.Texts("spec", "ipFamilies").ToList();
        if (!_addresses.TryGetValue(service.Uid(), out var addresses) || addresses.Count != families.Count)
        {
            Release(service.Uid());
            addresses = [.. families.Select(family =>
                _pools[family].Take() ?? throw new InvalidOperationException($"no {family} address is left for load balancers"))];
            _addresses[service.Uid()] = addresses;
        }

        foreach (var address in addresses)
            await RouteAsync(service, address, ct);
        if (!service.Items("status", "loadBalancer", "ingress").Select(ingress => ingress.Text("ip"))
            .SequenceEqual(addresses.Select(address => address.ToString())))
            await PublishAsync(service, addresses, ct);
    }

    private async Task PublishAsync(JsonObject service, List<IPAddress> addresses, CancellationToken ct)
    {
        var ingress = addresses.Select(address => (JsonNode)new JsonObject { ["ip"] = address.ToString() }).ToJsonArray();
        var patch = new JsonObject { ["status"] = new JsonObject { ["loadBalancer"] = new JsonObject { ["ingress"] = ingress } } };
        try
        {
            await _client.PatchAsync(ResourceTypes.Services, service.Namespace(), service.Name(), patch, "status", ct);
        }
        catch (Exception e) when (e is ApiStatusException or HttpRequestException or IOException or JsonException)
        {
            // it has gone, or the API misbehaves as it was told to: the next round tries again
        }
    }

    private async Task RouteAsync(JsonObject service, IPAddress address, CancellationToken ct)
    {
        var present = _targets.GetValueOrDefault(address);
        if (present is not null && await ServesAsync(service, present, ct))
            return;
        foreach (var node in _nodes.Keys)
        {
            if (node == present || !await ServesAsync(service, node, ct))
                continue;
            _outside.Route(address, node);
            _targets[address] = node;
            return;
        }

        // with no healthy target any is as good, as balancers that "fail open" have it
        if (present is null)
            _outside.Route(address, _targets[address] = _nodes.Keys.First());
    }

    private async Task<bool> ServesAsync(JsonObject service, string node, CancellationToken ct)
    {
        if (service.Number("spec", "healthCheckNodePort") is not { } port)
            return true;
        try
        {
            using var answer = await _http.GetAsync(new Uri($"http://{_nodes[node].Addresses.V4}:{port}/healthz"), ct);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !ct.IsCancellationRequested)
        {
            return false;
        }
    }

    private void Release(string uid)
    {
        if (!_addresses.Remove(uid, out var addresses))
            return;
        foreach (var address in addresses)
        {
            _outside.Unroute(address);
            _targets.Remove(address);
            _pools[address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? "IPv6" : "IPv4"].Free(address);
        }
    }
}

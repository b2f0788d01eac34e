using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>The Node object, and its readiness: a node is ready once it has a network configuration.</summary>
internal sealed class NodeRegistration : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly KubeletContext _node;
    private readonly FileSystemWatcher _files;
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = NewSignal();

    public NodeRegistration(KubeletContext node)
    {
        _node = node;
        _files = new FileSystemWatcher(node.Directories.CniConfiguration);
        _files.Created += (_, _) => Signal();
        _files.Changed += (_, _) => Signal();
        _files.Renamed += (_, _) => Signal();
        _files.Deleted += (_, _) => Signal();
        _files.EnableRaisingEvents = true;
    }

    /// <summary>The node's network configuration, waited for if it has none yet.</summary>
    /// <exception cref="FormatException">The first file is no network configuration.</exception>
    public async Task<CniConfiguration> NetworkAsync(CancellationToken ct)
    {
        while (true)
        {
            var changed = Changed();
            if (CniConfiguration.Find(_node.Directories.CniConfiguration) is { } found)
                return found;
            await changed.WaitAsync(ct);
        }
    }

    /// <summary>Registers the node and keeps its Ready condition true to the files, until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (true)
        {
            var changed = Changed();
            try
            {
                await PublishAsync(CniConfiguration.FirstFile(_node.Directories.CniConfiguration) is not null, ct);
                await changed.WaitAsync(ct);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or ApiStatusException)
            {
                await Task.Delay(Pause, _node.Time, ct);
            }
        }
    }

    public void Dispose() => _files.Dispose();

    private async Task PublishAsync(bool ready, CancellationToken ct)
    {
        if (await _node.Api.FindAsync(ResourceTypes.Nodes, "", _node.Name, ct) is not { } present)
            present = await CreateAsync(ct);
        var status = new JsonObject { ["status"] = NodeObject.Status(_node, present, ready) };
        await _node.Api.PatchAsync(ResourceTypes.Nodes, "", _node.Name, status, "status", ct);
    }

    private async Task<JsonObject> CreateAsync(CancellationToken ct)
    {
        try
        {
            return await _node.Api.CreateAsync(ResourceTypes.Nodes, "", NodeObject.New(_node), ct);
        }
        catch (ApiStatusException e) when (e.Code == HttpStatusCode.Conflict)
        {
            return await _node.Api.GetAsync(ResourceTypes.Nodes, "", _node.Name, ct);
        }
    }

    private Task Changed()
    {
        lock (_lock)
            return _changed.Task;
    }

    private void Signal()
    {
        TaskCompletionSource changed;
        lock (_lock)
            (changed, _changed) = (_changed, NewSignal());
        changed.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>The shape of a Node. Pure.</summary>
internal static class NodeObject
{
    public static JsonObject New(KubeletContext node) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Node",
        ["metadata"] = new JsonObject
        {
            ["name"] = node.Name,
            ["labels"] = Labels(node),
        },
        ["spec"] = new JsonObject
        {
            ["podCIDR"] = node.Addresses.PodsV4.ToString(),
            ["podCIDRs"] = new JsonArray(node.Addresses.PodsV4.ToString(), node.Addresses.PodsV6.ToString()),
            ["providerID"] = "sandbox://" + node.Name,
        },
    };

    public static JsonObject Status(KubeletContext node, JsonObject present, bool ready)
    {
        var resources = new JsonObject
        {
            ["cpu"] = Environment.ProcessorCount.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["memory"] = $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1024}Ki",
            ["pods"] = "110",
        };
        return new JsonObject
        {
            ["addresses"] = node.HostAddresses
                .Select(address => (JsonNode)new JsonObject { ["type"] = "InternalIP", ["address"] = address.ToString() })
                .Append(new JsonObject { ["type"] = "Hostname", ["address"] = node.Name })
                .ToJsonArray(),
            ["capacity"] = resources,
            ["allocatable"] = resources.DeepClone(),
            ["conditions"] = new JsonArray(Ready(node, present, ready)),
            ["nodeInfo"] = new JsonObject
            {
                ["kubeletVersion"] = "v1.35.0-sandbox",
                ["osImage"] = RuntimeInformation.OSDescription,
                ["kernelVersion"] = File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
                ["containerRuntimeVersion"] = "sandbox://1",
                ["operatingSystem"] = "linux",
                ["architecture"] = Architecture,
            },
        };
    }

    private static string Architecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64
        ? "arm64" : "amd64";

    private static JsonObject Labels(KubeletContext node)
    {
        var labels = new JsonObject
        {
            ["kubernetes.io/hostname"] = node.Name,
            ["kubernetes.io/os"] = "linux",
            ["kubernetes.io/arch"] = Architecture,
        };
        foreach (var (name, value) in node.Labels)
            labels[name] = value;
        return labels;
    }

    private static JsonObject Ready(KubeletContext node, JsonObject present, bool ready)
    {
        var text = ready ? "True" : "False";
        var before = present.Items("status", "conditions").FirstOrDefault(c => c.Text("type") == "Ready");
        var now = node.Now();
        return new JsonObject
        {
            ["type"] = "Ready",
            ["status"] = text,
            ["reason"] = ready ? "KubeletReady" : "KubeletNotReady",
            ["message"] = ready ? "the node has a network configuration" : "container runtime network not ready: no CNI configuration",
            ["lastHeartbeatTime"] = now,
            ["lastTransitionTime"] = before.Text("status") == text ? before.Text("lastTransitionTime") ?? now : now,
        };
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Admission;

/// <summary>What the real API server does to a Service: defaults, checks, cluster addresses of one or both families, node ports.</summary>
internal sealed class ServiceAdmission(IPNetwork v4, IPNetwork v6)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, AddressAllocator> _pools = new() { ["IPv4"] = new(v4), ["IPv6"] = new(v6) };
    private readonly HashSet<long> _nodePorts = [];
    private long _nextNodePort = 30000;

    public void OnCreate(JsonObject service)
    {
        var spec = service.Child("spec");
        Defaults(spec);
        Validate(service, spec);
        if (spec.Text("type") == "ExternalName")
            return;
        Families(service, spec);
        lock (_lock)
        {
            Addresses(service, spec);
            NodePorts(service, spec);
        }

        service.Default("status", new JsonObject { ["loadBalancer"] = new JsonObject() });
    }

    public void OnUpdate(JsonObject previous, JsonObject service)
    {
        var spec = service.Child("spec");
        var before = previous.Child("spec");
        Defaults(spec);
        Validate(service, spec);
        if (spec.Text("type") == "ExternalName" || before.Text("type") == "ExternalName")
        {
            OnDelete(previous);
            OnCreate(service);
            return;
        }

        spec.Default("clusterIP", before["clusterIP"]?.DeepClone());
        spec.Default("ipFamilyPolicy", before["ipFamilyPolicy"]?.DeepClone());
        if (spec.Text("clusterIP") != before.Text("clusterIP"))
            throw Invalid(service, "spec.clusterIP", $"Invalid value: \"{spec.Text("clusterIP")}\": field is immutable");
        spec.Default("clusterIPs", before["clusterIPs"]?.DeepClone());
        spec.Default("ipFamilies", before["ipFamilies"]?.DeepClone());
        if (spec.Texts("ipFamilies").FirstOrDefault() != before.Texts("ipFamilies").FirstOrDefault())
            throw Invalid(service, "spec.ipFamilies[0]", "Invalid value: field is immutable");
        lock (_lock)
        {
            ChangeFamilies(service, before, spec);
            NodePorts(service, spec, previous);
        }
    }

    public void OnDelete(JsonObject service)
    {
        lock (_lock)
        {
            foreach (var text in service.Texts("spec", "clusterIPs"))
            {
                if (IPAddress.TryParse(text, out var address))
                    _pools[FamilyOf(address)].Free(address);
            }

            foreach (var port in service.Items("spec", "ports"))
                _nodePorts.Remove(port.Number("nodePort") ?? 0);
        }
    }

    private static void Defaults(JsonObject spec)
    {
        spec.Default("type", "ClusterIP");
        spec.Default("sessionAffinity", "None");
        if (spec.Text("sessionAffinity") == "ClientIP")
            spec.Child("sessionAffinityConfig").Child("clientIP").Default("timeoutSeconds", 10800);
        if (spec.Text("type") is "ClusterIP" or "NodePort" or "LoadBalancer")
            spec.Default("internalTrafficPolicy", "Cluster");
        if (spec.Text("type") is "NodePort" or "LoadBalancer")
            spec.Default("externalTrafficPolicy", "Cluster");
        if (spec.Text("type") == "LoadBalancer")
            spec.Default("allocateLoadBalancerNodePorts", true);
        foreach (var port in spec.Items("ports"))
        {
            port.Default("protocol", "TCP");
            port.Default("targetPort", port["port"]?.DeepClone());
        }
    }

    private static void Validate(JsonObject service, JsonObject spec)
    {
        var ports = spec.Items("ports").ToList();
        if (ports.Count == 0 && spec.Text("type") != "ExternalName" && spec.Text("clusterIP") != "None")
            throw Invalid(service, "spec.ports", "Required value");
        var seen = new HashSet<(long?, string?)>();
        foreach (var port in ports)
        {
            if (port.Number("port") is not (>= 1 and <= 65535))
                throw Invalid(service, "spec.ports.port", "must be between 1 and 65535, inclusive");
            if (ports.Count > 1 && string.IsNullOrEmpty(port.Text("name")))
                throw Invalid(service, "spec.ports.name", "Required value");
            if (!seen.Add((port.Number("port"), port.Text("protocol"))))
                throw Invalid(service, "spec.ports", "Duplicate value");
        }
    }

    private static void Families(JsonObject service, JsonObject spec)
    {
        spec.Default("ipFamilyPolicy", spec.Texts("ipFamilies").Count() > 1 || spec.Texts("clusterIPs").Count() > 1 ? "RequireDualStack" : "SingleStack");
        var given = spec.Texts("clusterIPs").Concat([spec.Text("clusterIP") ?? ""]).Where(t => IPAddress.TryParse(t, out _)).Select(t => FamilyOf(IPAddress.Parse(t)));
        var families = spec.Texts("ipFamilies").Concat(given).Distinct().ToList();
        if (families.Count == 0)
            families.Add("IPv4");
        if (families.Any(f => f is not ("IPv4" or "IPv6")))
            throw Invalid(service, "spec.ipFamilies", "Unsupported value");
        if (spec.Text("ipFamilyPolicy") != "SingleStack" && families.Count == 1)
            families.Add(families[0] == "IPv4" ? "IPv6" : "IPv4");
        if (spec.Text("ipFamilyPolicy") == "SingleStack" && families.Count > 1)
            throw Invalid(service, "spec.ipFamilyPolicy", "Invalid value: may be only one of the families with SingleStack");
        spec["ipFamilies"] = families.ToJsonArray();
    }

    private void Addresses(JsonObject service, JsonObject spec)
    {
        if (spec.Text("clusterIP") == "None")
        {
            spec["clusterIPs"] = new JsonArray("None");
            return;
        }

        var wanted = spec.Texts("clusterIPs").Concat([spec.Text("clusterIP") ?? ""]).Where(t => t.Length > 0).Distinct().ToList();
        var taken = new List<IPAddress>();
        try
        {
            foreach (var family in spec.Texts("ipFamilies"))
                taken.Add(TakeAddress(service, family, wanted));
        }
        catch (ApiException)
        {
            taken.ForEach(a => _pools[FamilyOf(a)].Free(a));
            throw;
        }

        spec["clusterIP"] = taken[0].ToString();
        spec["clusterIPs"] = taken.Select(a => a.ToString()).ToJsonArray();
    }

    private IPAddress TakeAddress(JsonObject service, string family, List<string> wanted)
    {
        foreach (var text in wanted)
        {
            if (!IPAddress.TryParse(text, out var address))
                throw Invalid(service, "spec.clusterIPs[0]", $"Invalid value: \"{text}\": must be empty, 'None', or a valid IP address");
            if (FamilyOf(address) != family)
                continue;
            if (!_pools[family].Network.Contains(address))
                throw Invalid(service, "spec.clusterIPs", $"Invalid value: \"{text}\": the provided IP is not in the valid range {_pools[family].Network}");
            return _pools[family].Take(address) ? address : throw Invalid(service, "spec.clusterIPs", $"Invalid value: \"{text}\": provided IP is already allocated");
        }

        return _pools[family].Take() ?? throw new ApiException(500, "InternalError", $"the service range {_pools[family].Network} is full");
    }

    // SingleStack <-> dual stack: the second family's address comes or goes, the first never changes.
    private void ChangeFamilies(JsonObject service, JsonObject before, JsonObject spec)
    {
        if (spec.Text("clusterIP") == "None" || spec.Text("ipFamilyPolicy") == before.Text("ipFamilyPolicy"))
            return;
        var addresses = before.Texts("clusterIPs").ToList();
        var families = before.Texts("ipFamilies").ToList();
        if (spec.Text("ipFamilyPolicy") == "SingleStack" && addresses.Count > 1)
        {
            _pools[families[1]].Free(IPAddress.Parse(addresses[1]));
            (addresses, families) = ([addresses[0]], [families[0]]);
        }
        else if (spec.Text("ipFamilyPolicy") != "SingleStack" && addresses.Count == 1)
        {
            families.Add(families[0] == "IPv4" ? "IPv6" : "IPv4");
            addresses.Add(TakeAddress(service, families[1], []).ToString());
        }

        spec["clusterIPs"] = addresses.ToJsonArray();
        spec["ipFamilies"] = families.ToJsonArray();
    }

    private void NodePorts(JsonObject service, JsonObject spec, JsonObject? previous = null)
    {
        var before = previous.Items("spec", "ports").ToDictionary(p => (p.Number("port"), p.Text("protocol")), p => p.Number("nodePort"));
        foreach (var old in before.Values)
            _nodePorts.Remove(old ?? 0);
        var allocates = spec.Text("type") is "NodePort" || (spec.Text("type") is "LoadBalancer" && spec.Flag("allocateLoadBalancerNodePorts") != false);
        foreach (var port in spec.Items("ports"))
        {
            if (!allocates)
            {
                port.Remove("nodePort");
                continue;
            }

            var wanted = port.Number("nodePort") ?? before.GetValueOrDefault((port.Number("port"), port.Text("protocol"))) ?? 0;
            if (wanted != 0 && !_nodePorts.Add(wanted))
                throw Invalid(service, "spec.ports.nodePort", $"Invalid value: {wanted}: provided port is already allocated");
            port["nodePort"] = wanted != 0 ? wanted : FreeNodePort();
        }
    }

    private long FreeNodePort()
    {
        while (!_nodePorts.Add(_nextNodePort))
            _nextNodePort = _nextNodePort >= 32767 ? 30000 : _nextNodePort + 1;
        return _nextNodePort;
    }

    private static string FamilyOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? "IPv6" : "IPv4";

    private static ApiException Invalid(JsonObject service, string field, string problem) => ApiException.Invalid(ResourceTypes.Services, service.Name(), field, problem);
}

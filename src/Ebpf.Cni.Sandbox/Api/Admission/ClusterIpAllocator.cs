using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Admission;

/// <summary>The families of a Service, and its cluster address of each.</summary>
internal sealed class ClusterIpAllocator(IPNetwork v4, IPNetwork v6)
{
    private readonly Dictionary<string, AddressAllocator> _pools = new() { ["IPv4"] = new(v4), ["IPv6"] = new(v6) };

    /// <summary>What is given away; setting it back undoes what happened since.</summary>
    public (ImmutableHashSet<IPAddress> V4, ImmutableHashSet<IPAddress> V6) Taken
    {
        get => (_pools["IPv4"].Taken, _pools["IPv6"].Taken);
        set => (_pools["IPv4"].Taken, _pools["IPv6"].Taken) = value;
    }

    public void Assign(JsonObject service, JsonObject spec)
    {
        Families(service, spec);
        if (spec.Text("clusterIP") == "None")
        {
            spec["clusterIPs"] = new JsonArray("None");
            return;
        }

        var wanted = spec.Texts("clusterIPs").Concat([spec.Text("clusterIP") ?? ""]).Where(t => t.Length > 0).Distinct().ToList();
        var taken = spec.Texts("ipFamilies").Select(family => Take(service, family, wanted)).ToList();
        spec["clusterIP"] = taken[0].ToString();
        spec["clusterIPs"] = taken.Select(a => a.ToString()).ToJsonArray();
    }

    /// <summary>SingleStack to dual stack and back: the second family's address comes or goes, the first never changes.</summary>
    public void Change(JsonObject service, JsonObject before, JsonObject spec)
    {
        if (spec.Text("clusterIP") != before.Text("clusterIP"))
            throw Invalid(service, "spec.clusterIP", $"Invalid value: \"{spec.Text("clusterIP")}\": field is immutable");
        if (spec.Texts("ipFamilies").FirstOrDefault() != before.Texts("ipFamilies").FirstOrDefault())
            throw Invalid(service, "spec.ipFamilies[0]", "Invalid value: field is immutable");
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
            addresses.Add(Take(service, families[1], []).ToString());
        }

        spec["clusterIPs"] = addresses.ToJsonArray();
        spec["ipFamilies"] = families.ToJsonArray();
    }

    public void Free(JsonObject service)
    {
        foreach (var text in service.Texts("spec", "clusterIPs"))
        {
            if (IPAddress.TryParse(text, out var address))
                _pools[FamilyOf(address)].Free(address);
        }
    }

    private static void Families(JsonObject service, JsonObject spec)
    {
        spec.Default("ipFamilyPolicy", spec.Texts("ipFamilies").Count() > 1 || spec.Texts("clusterIPs").Count() > 1
            ? "RequireDualStack" : "SingleStack");
        var given = spec.Texts("clusterIPs").Concat([spec.Text("clusterIP") ?? ""]).Where(t => IPAddress.TryParse(t, out _))
            .Select(t => FamilyOf(IPAddress.Parse(t)));
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

    private IPAddress Take(JsonObject service, string family, List<string> wanted)
    {
        foreach (var text in wanted)
        {
            if (!IPAddress.TryParse(text, out var address))
                throw Invalid(service, "spec.clusterIPs[0]", $"Invalid value: \"{text}\": must be empty, 'None', or a valid IP address");
            if (FamilyOf(address) != family)
                continue;
            if (!_pools[family].Network.Contains(address))
                throw Invalid(service, "spec.clusterIPs",
                    $"Invalid value: \"{text}\": the provided IP is not in the valid range {_pools[family].Network}");
            return _pools[family].Take(address) ? address : throw Invalid(
                service, "spec.clusterIPs", $"Invalid value: \"{text}\": provided IP is already allocated");
        }

        return _pools[family].Take() ?? throw new ApiException(500, "InternalError", $"the service range {_pools[family].Network} is full");
    }

    private static string FamilyOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? "IPv6" : "IPv4";

    private static ApiException Invalid(JsonObject service, string field, string problem) =>
        ApiException.Invalid(ResourceTypes.Services, service.Name(), field, problem);
}

using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Admission;

/// <summary>
/// The ports that nodes listen on for Services: one number belongs to one Service, which may use it for several protocols. Health check
/// ports come from the same range.
/// </summary>
internal sealed class NodePortAllocator
{
    public const long First = 30000;
    public const long Last = 32767;
    private long _next = First;

    /// <summary>What is given away; setting it back undoes what happened since.</summary>
    public ImmutableHashSet<long> Taken { get; set; } = [];

    /// <summary>Gives the Service the ports it asks for or needs, and takes back what only its previous state used.</summary>
    /// <exception cref="ApiException">A port that it asks for is another's, or out of range.</exception>
    public void Assign(JsonObject? previous, JsonObject service)
    {
        var old = NumbersOf(previous);
        var used = new HashSet<long>();
        var ports = service.Items("spec", "ports").ToList();
        for (var i = 0; i < ports.Count; i++)
        {
            if (ports[i].Number("nodePort") is null or 0 && !Allocates(service))
            {
                ports[i].Remove("nodePort");
                continue;
            }

            var number = Requested(ports, ports[i]);
            if (number == 0)
                number = Next();
            else if (!old.Contains(number) && !used.Contains(number))
                Take(service, $"spec.ports[{i}].nodePort", number);
            used.Add(number);
            ports[i]["nodePort"] = number;
        }

        AssignHealthCheck(service, old, used);
        Taken = Taken.Except(old.Where(number => !used.Contains(number)));
    }

    public void Free(JsonObject service) => Taken = Taken.Except(NumbersOf(service));

    /// <summary>A load balancer with the Local policy needs to be told which nodes have endpoints.</summary>
    public static bool NeedsHealthCheck(JsonObject? service) =>
        service.Text("spec", "type") == "LoadBalancer" && service.Text("spec", "externalTrafficPolicy") == "Local";

    private void AssignHealthCheck(JsonObject service, HashSet<long> old, HashSet<long> used)
    {
        if (!NeedsHealthCheck(service))
            return;
        var spec = service.Child("spec");
        var number = spec.Number("healthCheckNodePort") ?? 0;
        if (number == 0)
            number = Next();
        else if (!old.Contains(number))
            Take(service, "spec.healthCheckNodePort", number);
        used.Add(number);
        spec["healthCheckNodePort"] = number;
    }

    private static bool Allocates(JsonObject service) => service.Text("spec", "type") switch
    {
        "NodePort" => true,
        "LoadBalancer" => service.Flag("spec", "allocateLoadBalancerNodePorts") != false,
        _ => false,
    };

    // one port over several protocols gets one number
    private static long Requested(List<JsonObject> ports, JsonObject port)
    {
        if (port.Number("nodePort") is { } own and not 0)
            return own;
        var sibling = ports.Find(other => other.Number("port") == port.Number("port") && other.Number("nodePort") is not (null or 0));
        return sibling.Number("nodePort") ?? 0;
    }

    private void Take(JsonObject service, string field, long number)
    {
        if (number is < First or > Last)
            throw Invalid(service, field, number, $"provided port is not in the valid range. The range of valid ports is {First}-{Last}");
        var before = Taken;
        Taken = before.Add(number);
        if (ReferenceEquals(before, Taken))
            throw Invalid(service, field, number, "provided port is already allocated");
    }

    private long Next()
    {
        while (Taken.Contains(_next))
            _next = _next >= Last ? First : _next + 1;
        Taken = Taken.Add(_next);
        return _next;
    }

    private static HashSet<long> NumbersOf(JsonObject? service) =>
        [.. service.Items("spec", "ports").Select(port => port.Number("nodePort") ?? 0)
            .Append(service.Number("spec", "healthCheckNodePort") ?? 0).Where(number => number != 0)];

    private static ApiException Invalid(JsonObject service, string field, long number, string problem) =>
        ApiException.Invalid(ResourceTypes.Services, service.Name(), field, $"Invalid value: {number}: {problem}");
}

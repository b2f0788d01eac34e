using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Admission;

/// <summary>What the real API server does to a Service: defaults, checks, cluster addresses of one or both families, node ports.</summary>
internal sealed class ServiceAdmission(IPNetwork v4, IPNetwork v6)
{
    private readonly Lock _lock = new();
    private readonly ClusterIpAllocator _addresses = new(v4, v6);
    private readonly NodePortAllocator _nodePorts = new();

    /// <param name="keep">False: nothing stays allocated (a dry run).</param>
    public void OnCreate(JsonObject service, bool keep = true) => Allocate(keep, () =>
    {
        var spec = service.Child("spec");
        ServiceFields.Default(spec);
        ServiceFields.Validate(service, spec);
        if (!ServiceFields.IsExternalName(spec))
            _addresses.Assign(service, spec);
        _nodePorts.Assign(null, service);
        service.Default("status", new JsonObject { ["loadBalancer"] = new JsonObject() });
    });

    /// <inheritdoc cref="OnCreate"/>
    public void OnUpdate(JsonObject previous, JsonObject service, bool keep = true) => Allocate(keep, () =>
    {
        var spec = service.Child("spec");
        var before = previous.Child("spec");
        var (was, @is) = (ServiceFields.IsExternalName(before), ServiceFields.IsExternalName(spec));
        if (!was && !@is)
            ServiceFields.KeepAssigned(before, spec);
        ServiceFields.DropUnused(before, spec);
        ServiceFields.Default(spec);
        ServiceFields.Validate(service, spec);
        if (@is)
            _addresses.Free(previous);
        else if (was)
            _addresses.Assign(service, spec);
        else
            _addresses.Change(service, before, spec);
        _nodePorts.Assign(previous, service);
        OnStatus(service);
    });

    /// <summary>Only a load balancer keeps the addresses of one.</summary>
    public static void OnStatus(JsonObject service)
    {
        var balancer = service.Child("status").Child("loadBalancer");
        if (service.Text("spec", "type") != "LoadBalancer")
            balancer.Remove("ingress");
        foreach (var ingress in balancer.Items("ingress").Where(ingress => ingress.Text("ip") is not null))
            ingress.Default("ipMode", "VIP");
    }

    public void OnDelete(JsonObject service)
    {
        lock (_lock)
        {
            _addresses.Free(service);
            _nodePorts.Free(service);
        }
    }

    // all or nothing: what a refused Service took on the way is given back
    private void Allocate(bool keep, Action change)
    {
        lock (_lock)
        {
            var (addresses, nodePorts) = (_addresses.Taken, _nodePorts.Taken);
            var done = false;
            try
            {
                change();
                done = keep;
            }
            finally
            {
                if (!done)
                    (_addresses.Taken, _nodePorts.Taken) = (addresses, nodePorts);
            }
        }
    }
}

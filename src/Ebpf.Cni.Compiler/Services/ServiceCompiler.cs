using System.Globalization;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>Stage 2: one service and its slices → its ports with frontends and segments.</summary>
internal static class ServiceCompiler
{
    /// <summary>The API's: three hours (core/v1 DefaultClientIPServiceAffinitySeconds), a day at most.</summary>
    private const uint DefaultAffinitySec = 10800;

    private const uint LongestAffinitySec = 86400;

    /// <param name="name">The service's.</param>
    /// <param name="service">As the API has it.</param>
    /// <param name="slices">Its own.</param>
    /// <param name="node">Where it is to be served.</param>
    /// <param name="before">What its last compile read.</param>
    /// <param name="scratch">Lent for the time of the call.</param>
    public static CompiledService Compile(
        ObjectName name,
        ServiceSnapshot service,
        ServiceSlices slices,
        ServiceContext node,
        ReadSlices before,
        List<EndpointChoice.Candidate> scratch)
    {
        if (!IsProxied(service))
            return new CompiledService(service, slices, [], null, [], ReadSlices.None);
        var issues = new List<CompileIssue>();
        var found = new IssueCollector("Service", name, service.Uid);
        var addresses = ServiceAddresses.Read(service, node, found);
        var ports = ServicePort.Read(name, service, found);
        var traits = new ServiceTraits(
            service.Uid ?? "",
            addresses,
            SourceRangeReader.Read(service, addresses, node, found),
            service.InternalLocal,
            service.ExternalLocal,
            ReadAffinity(service, found));
        if (service.UnknownPolicy is { } unknown)
            found.Add(IssueReason.PolicyUnknown, $"{IssueCollector.Quote(unknown)} is not known; the default is used");
        var endpoints = new List<SliceEndpoints>(slices.Items.Length);
        var inSlices = new List<CompileIssue>();
        var read = ReadSlices.Read(slices, node, before, endpoints, inSlices);
        var healthCheck = HealthCheck.Read(name, service, addresses, endpoints, found);
        var compiled = new CompiledPort[ports.Count];
        for (var i = 0; i < compiled.Length; i++)
            compiled[i] = new PortCompiler(ports[i], traits, node, found, scratch).Compile(endpoints, first: i == 0);
        found.MoveTo(issues);
        issues.AddRange(inSlices);
        return new CompiledService(service, slices, compiled, healthCheck, [.. issues], read);
    }

    /// <summary>
    /// What kube-proxy leaves alone, in silence: services of another proxy (the label's mere presence counts) and headless ones (both are
    /// label selectors of its watches, cmd/kube-proxy/app/server.go), ExternalName, and services without a cluster IP (ShouldSkipService).
    /// </summary>
    private static bool IsProxied(ServiceSnapshot service) =>
        service.ProxyName is null
        && !service.HeadlessLabel
        && service.Type != "ExternalName"
        && !service.ClusterIPs.IsDefaultOrEmpty
        && service.ClusterIPs[0] is not (null or "" or "None");

    private static uint ReadAffinity(ServiceSnapshot service, IssueCollector issues)
    {
        if (service.AffinitySeconds is >= 0 and <= (int)LongestAffinitySec)
            return (uint)service.AffinitySeconds;
        issues.Add(IssueReason.AffinityTimeoutOutOfRange, string.Create(CultureInfo.InvariantCulture,
            $"the session affinity timeout is not 1 to {LongestAffinitySec} s; {DefaultAffinitySec} s is used"));
        return DefaultAffinitySec;
    }
}

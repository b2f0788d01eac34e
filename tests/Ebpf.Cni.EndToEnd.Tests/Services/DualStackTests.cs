using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>Every order and number of families.</summary>
[Collection(FullServices.Name)]
public sealed class DualStackTests(FullCluster cluster)
{
    [Theory]
    [InlineData("ipFamilies: [IPv4], ipFamilyPolicy: SingleStack", "IPv4")]
    [InlineData("ipFamilies: [IPv6], ipFamilyPolicy: SingleStack", "IPv6")]
    [InlineData("ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack", "IPv4 IPv6")]
    [InlineData("ipFamilies: [IPv6, IPv4], ipFamilyPolicy: RequireDualStack", "IPv6 IPv4")]
    public async Task A_service_has_the_families_it_asks_for_and_answers_in_them_alone(string spec, string families)
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer, " + spec, "a1", "b1");
        Assert.Equal(families, string.Join(' ', service.ClusterIPs.Select(FamilyOf)));
        foreach (var protocol in new[] { "tcp", "udp" })
            foreach (var address in service.ClusterIPs)
            {
                foreach (var client in new[] { PodA, PodC, NodeA })
                    await cluster.AnsweredBy(client, protocol, address, 80, "a1", "b1");
                await cluster.AnsweredBy(World, protocol, cluster.NodeAddress("node-c", FamilyOf(address)), service.NodePort, "a1", "b1");
            }
        foreach (var address in service.LoadBalancerIPs)
            await cluster.AnsweredBy(World, "tcp", address, 80, "a1", "b1");
        foreach (var missing in new[] { "IPv4", "IPv6" }.Except(families.Split(' ')))
            await cluster.Silent(World, "tcp", cluster.NodeAddress("node-a", missing), service.NodePort);
    }

    [Fact]
    public async Task A_second_family_comes_and_goes()
    {
        await using var service = await TestService.Create(cluster, "ipFamilyPolicy: SingleStack", "a1");
        await service.Change("ipFamilyPolicy: PreferDualStack");
        var second = service.ClusterIPs[1];
        await cluster.AnsweredBy(PodB, "tcp", second, 80, "a1");
        await service.Change("ipFamilyPolicy: SingleStack");
        await cluster.Silent(PodB, "tcp", second, 80);
        await cluster.AnsweredBy(PodB, "tcp", service.ClusterIPs[0], 80, "a1");
    }
}

using System.Text.Json;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Benchmarks.Former;
using Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

namespace Ebpf.Cni.Benchmarks.Packets;

/// <summary>Measures all cases on the core that the process is bound to. Prints a list of <see cref="PacketCost"/> as JSON.</summary>
internal static class PacketRun
{
    /// <summary>Packets of a run. Short runs, so that some are not interrupted.</summary>
    public const int Repeat = 5_000;

    /// <summary>No case fills it.</summary>
    private const uint TableSize = 1 << 19;

    /// <summary>One run of 65,536 flows for this many runs of other cases.</summary>
    private const int ManyFlowsShare = 8;

    public static int Run(int rounds)
    {
        using var node = new MeasuredNode();
        using var layout = new FormerLayout();
        var costs = new List<PacketCost>();
        foreach (var tunnel in new[] { false, true })
        {
            using var former = new TcObjects(layout, TableSize);
            using var current = new TcObjects(new CurrentLayout(), TableSize);
            using var bench = new PacketBench();
            PacketCases.Fill(former, node, tunnel);
            PacketCases.Fill(current, node, tunnel);
            foreach (var @case in tunnel ? Tunnelled(node) : Direct(node))
                costs.Add(node.Namespace.Run(() => Measure(bench, former, current, @case, rounds)));
        }
        Console.WriteLine(JsonSerializer.Serialize(costs));
        return 0;
    }

    private static IEnumerable<PacketCase> Direct(MeasuredNode node) =>
    [
        PacketCases.PodToPod(node, v6: false), PacketCases.PodToPod(node, v6: true),
        PacketCases.PodToClusterIp(node, v6: false), PacketCases.PodToClusterIp(node, v6: true),
        PacketCases.PodToRemote(node, tunnel: false, v6: false),
        PacketCases.NodePortToRemote(node, IpProtocol.Tcp, v6: false), PacketCases.NodePortToRemote(node, IpProtocol.Tcp, v6: true),
        PacketCases.NodePortToRemote(node, IpProtocol.Udp, v6: false),
        PacketCases.NewFlow(node), PacketCases.ManyFlows(node),
    ];

    private static IEnumerable<PacketCase> Tunnelled(MeasuredNode node) =>
    [
        PacketCases.PodToRemote(node, tunnel: true, v6: false), PacketCases.IntoTunnel(node, v6: false),
        PacketCases.Encapsulated(node), PacketCases.OutOfTunnel(node, v6: false),
        PacketCases.NodePortToRemote(node, IpProtocol.Tcp, v6: false, tunnel: true),
        PacketCases.NodePortToRemote(node, IpProtocol.Tcp, v6: true, tunnel: true),
        PacketCases.NodePortToRemote(node, IpProtocol.Udp, v6: false, tunnel: true),
    ];

    private static PacketCost Measure(PacketBench bench, TcObjects former, TcObjects current, PacketCase @case, int rounds)
    {
        bench.Establish(former, @case);
        bench.Establish(current, @case);
        var repeat = (int)Math.Max(@case.Flows, Repeat);
        rounds = repeat > Repeat ? Math.Max(1, rounds / ManyFlowsShare) : rounds;
        var (empty, before, after) = (uint.MaxValue, uint.MaxValue, uint.MaxValue);
        for (var round = 0; round < rounds; round++)
        {
            empty = Math.Min(empty, bench.RunEmpty(@case, repeat).NanosecondsPerRun);
            // in alternating order, so that a slow moment of the machine affects both
            if ((round & 1) == 0)
                before = Math.Min(before, Once(bench, former, @case, repeat));
            after = Math.Min(after, Once(bench, current, @case, repeat));
            if ((round & 1) == 1)
                before = Math.Min(before, Once(bench, former, @case, repeat));
        }
        former.Forget();
        current.Forget();
        return new PacketCost(@case.Name, empty, before, after);
    }

    private static uint Once(PacketBench bench, TcObjects objects, PacketCase @case, int repeat)
    {
        var cost = bench.Run(objects, @case, repeat).NanosecondsPerRun;
        if (@case.Flows == 0 && objects.Forget() is var entries && entries < repeat)
            throw new InvalidOperationException($"{@case.Name}: {entries} entries of {repeat} flows");
        return cost;
    }
}

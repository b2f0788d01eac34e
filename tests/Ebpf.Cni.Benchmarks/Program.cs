using System.Globalization;
using System.Net;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Packets;
using Ebpf.Cni.Benchmarks.Roles;
using Ebpf.Cni.Benchmarks.Scenarios;
using Ebpf.Cni.Testing;

// Without arguments: all scenarios, written to docs/benchmarks.md. The other forms are what runs inside the pods.
switch (args)
{
    case ["server", var port]:
        return EchoServer.Run(int.Parse(port, CultureInfo.InvariantCulture));
    case ["world", var port]:
        return await WorldServer.RunAsync(int.Parse(port, CultureInfo.InvariantCulture));
    case ["meter", var path]:
        return Meter.Run(path);
    case ["opener", var target, var stop]:
        return await Opener.RunAsync(IPEndPoint.Parse(target), stop);
    case ["client", var mode, var direct, var service, var pairs]:
        return PairedClient.Run(mode, IPEndPoint.Parse(direct), IPEndPoint.Parse(service), int.Parse(pairs, CultureInfo.InvariantCulture));
    case [] or ["--pairs", _]:
        break;
    case ["rivals", .. var sizes]:
        var compared = new Report();
        await RivalScenario.RunAsync(compared, sizes.Length == 0
            ? RivalScenario.Sizes : [.. sizes.Select(s => int.Parse(s, CultureInfo.InvariantCulture))]);
        return 0;
    case ["paths", .. var rounds]:
        await PathScenario.RunAsync(new Report(), Given(rounds, PathScenario.Rounds));
        return 0;
    case ["pods", .. var rounds]:
        await AttachmentScenario.RunAsync(new Report(), Given(rounds, AttachmentScenario.Rounds));
        return 0;
    case ["packets-core", .. var runs]:
        return PacketRun.Run(Given(runs, PacketScenario.Rounds));
    case ["packets", .. var runs]:
        await PacketScenario.RunAsync(new Report(), Given(runs, PacketScenario.Rounds));
        return 0;
    case ["flood", .. var packets]:
        await FloodScenario.RunAsync(new Report(), Given(packets, FloodScenario.Packets));
        return 0;
    case ["dns", .. var seconds]:
        await DnsScenario.RunAsync(new Report(), Given(seconds, DnsScenario.Seconds));
        return 0;
    case ["changes"]:
        ChangeScenario.Run(new Report());
        return 0;
    case ["storm", .. var part]:
        await StormScenario.RunAsync(new Report(), Given(part, 1));
        return 0;
    case ["storm-present", .. var part]:
        await StormScenario.RunPresentAsync(new Report(), Given(part, 1));
        return 0;
    case ["storm-rivals"]:
        RivalStorm.Run(new Report());
        return 0;
    case ["replace"]:
        await ReplacementScenario.RunAsync(new Report());
        return 0;
    case ["nodes"]:
        await StormScenario.RunNodesAsync(new Report());
        return 0;
    default:
        Console.Error.WriteLine(
            "usage: benchmarks [--pairs N] | rivals [SIZE...] | pods [ROUNDS] | paths [ROUNDS] | packets [RUNS] "
            + "| flood [PACKETS] | dns [SECONDS] | changes | storm [PART] | storm-present [PART] | storm-rivals | nodes | replace");
        return 2;
}

var count = args is ["--pairs", var given] ? int.Parse(given, CultureInfo.InvariantCulture) : 10_000;
var report = new Report();
foreach (var (path, arguments) in new[] { ("socket hook", Array.Empty<string>()), ("tc", ["--socket-lb", "off"]) })
{
    await using var bench = await BenchCluster.StartAsync(arguments);
    report.Add(await LatencyScenario.RunAsync(bench, path, services: 1, count));
    report.Add(await ScaleScenario.LoadAsync(bench, path, services: 10_000, endpoints: 4));
    report.Add(await LatencyScenario.RunAsync(bench, path, services: 10_000, count));
    if (arguments.Length == 0)
        report.Add(await ScaleScenario.NewServicesAsync(bench, 200));
    if (arguments.Length == 0)
        report.Add(await ScaleScenario.RestartAsync(bench));
}
ChangeScenario.Run(report);
await StormScenario.RunAsync(report, 1);
await StormScenario.RunPresentAsync(report, 1);
RivalStorm.Run(report);
await StormScenario.RunNodesAsync(report);
await ReplacementScenario.RunAsync(report);
await RivalScenario.RunAsync(report, RivalScenario.Sizes);
await AttachmentScenario.RunAsync(report, AttachmentScenario.Rounds);
await PathScenario.RunAsync(report, PathScenario.Rounds);
await PacketScenario.RunAsync(report, PacketScenario.Rounds);
await FloodScenario.RunAsync(report, FloodScenario.Packets);
await DnsScenario.RunAsync(report, DnsScenario.Seconds);
await File.WriteAllTextAsync(Path.Combine(Repository.Root, "docs", "benchmarks.md"), report.ToString());
Console.WriteLine(report);
return 0;

static int Given(string[] rest, int usual) => rest is [var number] ? int.Parse(number, CultureInfo.InvariantCulture) : usual;

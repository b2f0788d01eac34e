using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>
/// A thousand random commands against the kernel, the agent being killed at random steps in between, namespaces going away, DELs being
/// queued while it is dead: in the end nothing is left. (Kills of a real process: EndToEnd.Tests, KilledAgentTests.)
/// </summary>
public class RandomLivesTests(ITestOutputHelper log)
{
    private const int Commands = 1000;

    private readonly Dictionary<string, int> _done = [];

    /// <summary>What ADD answered, of pods that must be as it made them.</summary>
    private readonly Dictionary<string, string> _results = [];

    [Fact]
    public async Task Nothing_is_left_of_a_thousand_random_commands_and_kills()
    {
        Requires.Root();
        var seed = Seed.Next();
        var random = new Random(seed);
        using var node = new RealNode { Rest = TimeSpan.Zero };
        var before = Traces(node);
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < Commands; i++)
        {
            if (random.Next(4) == 0)
                node.Kill.Arm(random.Next(1, 14), random.Next(2) == 0);
            await Command(node, random, $"p{random.Next(8)}");
            if (!node.Kill.Killed)
                continue;
            Count("killed");
            _results.Clear();
            if (random.Next(3) == 0)
                Queue(node, $"p{random.Next(8)}");
            node.Attachment = random.Next(2) == 0 ? PodAttachment.Tcx : PodAttachment.Clsact;
            if (random.Next(40) == 0)
                node.Restart();
            else
                node.RestartPods();
            CheckRecords(node);
        }

        log.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"seed {seed}: {Commands} commands in {clock.Elapsed.TotalSeconds:0.0} s: {string.Join(", "
                + "", _done.OrderBy(d => d.Key).Select(d => $"{d.Value} {d.Key}"))}"));
        Assert.True(_done["killed"] > 50, "the agent was killed now and then"); // the control
        Assert.NotEqual(before, Traces(node)); // and the traces can be seen
        node.RestartPods();
        for (var i = 0; i < 8; i++)
            await node.Run("DEL", $"p{i}");
        Assert.Equal(before, Traces(node));
        Assert.All(node.Store.Usage, u => Assert.Equal(0, u.InUse));
    }

    private async Task Command(RealNode node, Random random, string pod)
    {
        var command = random.Next(100) switch { < 50 => "ADD", < 80 => "DEL", < 88 => "CHECK", < 93 => "GC", _ => "namespace gone" };
        Count(command);
        var extra = "";
        switch (command)
        {
            case "namespace gone":
                if (Path.Exists(node.PodPath(pod)))
                    node.RemovePod(pod);
                _results.Remove(pod);
                return;
            case "ADD":
                node.Pod(pod);
                extra = random.Next(3) switch
                {
                    0 => ",\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":80000000,\"ingressBurst\":800000,"
                        + "\"egressRate\":80000000,\"egressBurst\":800000}}",
                    1 => ",\"runtimeConfig\":{\"mac\":\"c2:11:22:33:44:55\"}",
                    _ => "",
                };
                break;
            case "CHECK":
                extra = $",\"prevResult\":{_results.GetValueOrDefault(pod, "{}")}";
                break;
            case "GC":
                var valid = Enumerable.Range(0, 8).Where(_ => random.Next(4) > 0).Select(i => $"p{i}").ToList();
                var listed = valid.Select(p => $"{{\"containerID\":\"{p}\",\"ifname\":\"eth0\"}}");
                extra = $",\"cni.dev/valid-attachments\":[{string.Join(',', listed)}]";
                foreach (var gone in _results.Keys.Except(valid).ToList())
                    _results.Remove(gone);
                break;
        }

        var known = _results.ContainsKey(pod);
        if (command == "DEL")
            _results.Remove(pod);
        try
        {
            var answer = await node.Run(command, pod, extra, "1.1.0");
            Count($"{command} succeeded");
            if (command == "ADD")
                _results[pod] = answer.GetProperty("result").GetRawText();
        }
        catch (Exception e) when (e is CniException or AgentKilledException)
        {
            // Only a kill is a reason to fail; a CHECK has one when its pod is not there, or half.
            if (!node.Kill.Killed && (command != "CHECK" || known))
                throw;
        }
    }

    /// <summary>As the plugin does that finds no agent.</summary>
    private void Queue(RealNode node, string pod)
    {
        var pending = new PendingDelete(pod, "eth0");
        File.WriteAllBytes(Path.Combine(node["deletes"], pending.FileName), pending.ToJson());
        Count("DELs queued");
    }

    private static void CheckRecords(RealNode node)
    {
        var names = node.Store.All.Select(r => r.Key.HostInterface).ToHashSet();
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            Assert.DoesNotContain(netlink.Links(), l =>
                l.Name.StartsWith(EndpointKey.HostPrefix, StringComparison.Ordinal) && !names.Contains(l.Name));
        });
        Assert.All(node.Store.All, r => Assert.True(r.Ready));
    }

    /// <summary>Everything on the node and in the pods that pods leave traces in.</summary>
    private static List<string> Traces(RealNode node)
    {
        var traces = node.Namespace.Run(() => Traces("node"));
        for (var i = 0; i < 8; i++)
            if (Path.Exists(node.PodPath($"p{i}")))
                traces.AddRange(node.Pod($"p{i}").Run(() => Traces($"p{i}")));
        traces.AddRange(Directory.EnumerateFileSystemEntries(Path.Combine(node.BpffsRoot, "links"), "*", SearchOption.AllDirectories));
        traces.AddRange(node.Files);
        traces.AddRange(Directory.EnumerateFiles(node["deletes"]));
        foreach (var map in new[] { MapNames.Endpoint, MapNames.Netns })
        {
            using var opened = BpfMap.OpenPinned(Path.Combine(node.BpffsRoot, "maps", map));
            var entries = map == MapNames.Endpoint ? opened.ReadAll<EpKey, Ep>().Count : opened.ReadAll<NetnsKey, Netns>().Count;
            if (entries > 0)
                traces.Add($"{entries} entries in {map}");
        }

        return traces;
    }

    private static List<string> Traces(string where)
    {
        using var netlink = RouteNetlink.Open();
        return
        [
            .. netlink.Links().Where(l => l.Name != "lo").Select(l => $"{where}: link {l.Name}"),
            .. netlink.Addresses().Where(a => a.Ifindex > 1).Select(a => $"{where}: address {a.Address}"),
            .. netlink.Routes().Where(r => r.Ifindex > 1).Select(r => $"{where}: route {r.Destination}"),
            .. netlink.Neighbours().Where(n => n.Ifindex > 1).Select(n => $"{where}: neighbour {n.Address}"),
        ];
    }

    private void Count(string what) => _done[what] = _done.GetValueOrDefault(what) + 1;
}

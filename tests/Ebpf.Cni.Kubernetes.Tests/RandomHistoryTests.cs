using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Tests.FakeApi;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>
/// Whatever happens on the API and however it misbehaves, the store ends equal, and nothing is ever seen to vanish that did not.
/// </summary>
public class RandomHistoryTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task The_store_ends_as_the_api_and_never_invents_a_deletion(int salt)
    {
        var seed = unchecked(Seed.Next() + salt);
        var random = new Random(seed);
        var faults = new Random(seed + 1);
        var misbehave = true;
        await using var w = await Watched.StartAsync(r =>
        {
            lock (faults)
                return Volatile.Read(ref misbehave) && faults.Next(3) > 0 ? Any(faults, r) : null;
        }, options: Watched.Quick with
        {
            ResponseSilence = TimeSpan.FromMilliseconds(100),
            BookmarkSilence = TimeSpan.FromMilliseconds(300),
            WatchTimeout = TimeSpan.FromSeconds(1),
            WatchGrace = TimeSpan.Zero,
        });

        using var stop = new CancellationTokenSource();
        var observer = Task.Run(() => Observe(w, stop.Token));
        for (var step = 0; step < 300; step++)
        {
            Change(random, w.Api.Cluster);
            if (random.Next(10) == 0)
                w.Api.SendBookmarks();
            if (random.Next(40) == 0)
                w.Api.Cluster.Compact();
            if (random.Next(4) == 0)
                await Task.Yield();
            if (random.Next(20) == 0)
            {
                var heard = w.Api.Requests.Count;
                var open = w.Api.OpenWatches;
                await Eventually.True(() => w.Api.Requests.Count > heard || open > 0, "traffic");
            }
        }

        Volatile.Write(ref misbehave, false);
        w.Api.SendBookmarks();
        await w.Converged();
        await stop.CancelAsync();
        await observer;
        Assert.Empty(w.Store.Undecodable);
    }

    private static void Change(Random random, FakeCluster cluster)
    {
        var path = Objects.Paths[random.Next(3)];
        var lasting = random.Next(3) == 0; // objects that are never deleted, so that any disappearance of one is an invention
        var name = $"{(lasting ? "lasting" : "o")}{random.Next(8)}";
        if (!lasting && random.Next(3) == 0)
        {
            cluster.Delete(path, name);
            return;
        }

        cluster.Put(path, name, path switch
        {
            Objects.Services => Objects.Service(name, port: 1 + random.Next(3)),
            Objects.Slices => Objects.Slice(name, name, [.. Enumerable.Range(1, random.Next(4)).Select(i => $"10.0.0.{i}")]),
            _ => Objects.Node(name, 1 + random.Next(3)),
        });
    }

    private static Fault Any(Random random, FakeRequest r) => random.Next(r.Watch ? 14 : 8) switch
    {
        0 => new Fault.Refuse(new[] { 401, 403, 404, 410, 429, 500, 503, 504 }[random.Next(8)], random.Next(2) == 0 ? "0" : null),
        1 => new Fault.Reset(),
        2 => new Fault.Say(new[] { "", "{}", "[]", "hello", "{\"type\":", "\ud83d\n\n" }[random.Next(6)]),
        3 => r.Watch ? new Fault.EndAfter(random.Next(3)) : new Fault.CutList(random.Next(2000)),
        4 or 5 => new Fault.Chop(1 + random.Next(200)),
        6 => random.Next(4) == 0 ? new Fault.Hang() : new Fault.Chop(50),
        7 => new Fault.Refuse(410),
        8 => new Fault.StallAfter(random.Next(3)),
        9 => new Fault.BreakAfter(random.Next(3)),
        10 => new Fault.ErrorAfter(random.Next(3), new[] { 400, 410, 500, 0 }[random.Next(4)], "x"),
        11 => new Fault.GarbageAfter(random.Next(3),
            new[] { "x", "{\"type\":\"ADDED\",\"object\":[]}", "{\"type\":\"DELETED\",\"object\":{}}" }[random.Next(3)]),
        12 => new Fault.Twice(),
        _ => new Fault.Replay(),
    };

    /// <summary>Every object that disappears from one snapshot to the next must have been deleted on the API at some time.</summary>
    private static async Task Observe(Watched w, CancellationToken ct)
    {
        var before = ClusterSnapshot.Empty;
        try
        {
            while (true)
            {
                var now = (await w.Store.WaitForChangeAsync(ct)).Cluster;
                foreach (var name in before.Services.Keys.Where(n => !now.Services.ContainsKey(n)))
                    Assert.True(w.Api.Cluster.EverDeleted(Objects.Services, name.Name), $"service {name} vanished");
                foreach (var name in before.EndpointSlices.Keys.Where(n => !now.EndpointSlices.ContainsKey(n)))
                    Assert.True(w.Api.Cluster.EverDeleted(Objects.Slices, name.Name), $"slice {name} vanished");
                foreach (var name in before.Nodes.Keys.Where(n => !now.Nodes.ContainsKey(n)))
                    Assert.True(w.Api.Cluster.EverDeleted(Objects.Nodes, name), $"node {name} vanished");
                before = now;
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}

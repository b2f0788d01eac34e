using System.Text;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Pods.Tests.Endpoints;

/// <summary>
/// Random histories of pods, ranges, restarts and damaged files. What must hold is said by a model that knows nothing of pools.
/// </summary>
public class EndpointStoreHistories
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(60);

    private static readonly string[][] Ranges =
    [
        ["10.1.0.0/28"], ["10.2.0.0/29"], ["10.1.0.0/28", "fd00:1::/124"], ["fd00:1::/124"], ["fd00:2::/64", "10.1.0.0/27"],
            ["10.3.0.0/30", "10.4.0.0/31"],
    ];

    [Fact]
    public void No_address_is_given_twice_too_early_or_from_elsewhere()
    {
        var random = new Random(Seed.Next());
        for (var history = 0; history < 15; history++)
            Run(random);
    }

    private static void Run(Random random)
    {
        using var state = new TemporaryDirectory();
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        var pods = new Dictionary<string, IReadOnlyList<string>>();
        var released = new Dictionary<string, DateTimeOffset>();
        var ranges = Ranges[0];
        var store = Open();
        store.SetRanges(Parse(ranges));
        for (var step = 0; step < 150; step++)
        {
            time.Advance(TimeSpan.FromSeconds(random.Next(15)));
            var pod = $"p{random.Next(20)}";
            switch (random.Next(12))
            {
                case 0:
                    store = Open();
                    break;
                case 1:
                    ranges = Ranges[random.Next(Ranges.Length)];
                    store.SetRanges(Parse(ranges));
                    break;
                case 2 when pods.Count > 0:
                    Damage(random, state, pods, released);
                    store = Open();
                    store.SetRanges(Parse(ranges));
                    break;
                case < 7 when pods.ContainsKey(pod):
                    store.Release(store.Find(Key(pod))!);
                    foreach (var address in pods[pod])
                        released[address] = time.GetUtcNow();
                    pods.Remove(pod);
                    break;
                case >= 7 when !pods.ContainsKey(pod):
                    Add(pod);
                    break;
            }

            Assert.Equal(
                pods.Select(p => $"{p.Key} {string.Join(' ', p.Value)}").Order(StringComparer.Ordinal),
                store.All.Select(r => $"{r.ContainerId} {string.Join(' ', r.Addresses)}").Order(StringComparer.Ordinal));
        }

        EndpointStore Open() => new(new EndpointFiles(state.Path, "n1"), Rest, time, NullLogger<EndpointStore>.Instance);

        void Add(string pod)
        {
            IReadOnlyList<string> given;
            try
            {
                given = store.Reserve(Key(pod), "/ns/" + pod, "", []).Addresses;
            }
            catch (CniException e)
            {
                Assert.Equal(CniErrorCode.AddressesExhausted, e.Code);
                Assert.True(SomeFamilyIsFull(), $"refused, and yet there is room: {e.Message}, {e.Details}");
                return;
            }

            Assert.Equal(Parse(ranges).Select(r => r.Family).Distinct().Count(), given.Count);
            foreach (var address in given)
            {
                Assert.Contains(Parse(ranges), r => r.Contains(Addr.Parse(address)));
                Assert.DoesNotContain(pods.Values, p => p.Contains(address));
                Assert.False(released.TryGetValue(address, out var at) && at + Rest > time.GetUtcNow(), $"{address} did not rest");
            }

            pods.Add(pod, given);
        }

        bool SomeFamilyIsFull() => Parse(ranges).GroupBy(r => r.Family)
            .Any(family => family.All(range => range.Size <= 32 && Usable(range).All(
            a => pods.Values.Any(p => p.Contains(a)) || (released.TryGetValue(a, out var at) && at + Rest > time.GetUtcNow()))));
    }

    private static IEnumerable<string> Usable(PodCidr range)
    {
        var all = Enumerable.Range(0, (int)range.Size).Select(i =>
        {
            var bytes = range.ToIPNetwork().BaseAddress.GetAddressBytes();
            bytes[^1] += (byte)i;
            return new System.Net.IPAddress(bytes).ToString();
        }).ToList();
        return all.Count <= 2 ? all : all.Skip(2).SkipLast(range.IsIPv4 ? 1 : 0);
    }

    /// <summary>Cuts, garbles or empties one file; what is in it is lost, and nothing else is.</summary>
    private static void Damage(Random random, TemporaryDirectory state,
        Dictionary<string, IReadOnlyList<string>> pods, Dictionary<string, DateTimeOffset> released)
    {
        var pod = pods.Keys.ElementAt(random.Next(pods.Count));
        var endpoint = random.Next(2) == 0;
        var file = endpoint ? Path.Combine(state.Path, "endpoints", Key(pod).Hash + ".json") : Path.Combine(state.Path, "addresses.json");
        var content = File.ReadAllBytes(file);
        File.WriteAllBytes(file, random.Next(3) switch
        {
            0 => content[..random.Next(content.Length - 2)], // without the last brace
            1 => [],
            _ => [.. content.Select((b, i) => i % 7 == 3 ? (byte)0 : b)],
        });
        File.WriteAllText(Path.Combine(state.Path, "endpoints", ".tmp-" + random.Next()), Encoding.UTF8.GetString(content));
        if (endpoint)
            pods.Remove(pod);
        else
            released.Clear();
    }

    private static List<PodCidr> Parse(string[] ranges) => [.. ranges.Select(PodCidr.Parse)];

    private static EndpointKey Key(string pod) => new(pod, "eth0");
}

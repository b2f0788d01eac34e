using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>An agent killed at any point, and started again.</summary>
public class RestartTests
{
    [Fact]
    public async Task Living_pods_are_adopted_and_keep_their_addresses()
    {
        using var fixture = new CniFixture();
        var before = await fixture.Run("ADD");
        fixture.Node.Entries.Clear();
        fixture.Restart(adopt: true);
        Assert.Equal(2, fixture.Node.Entries.Count);
        Assert.Equal(before.GetRawText(), (await fixture.Run("ADD")).GetRawText());
        Assert.DoesNotContain("10.1.0.2/32", CniFixture.AddressesOf(await fixture.Run("ADD", "c2")));
    }

    [Fact]
    public async Task Dead_pods_and_interrupted_ADDs_are_removed()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        await fixture.Run("ADD", "dead", netns: "/ns/b");
        fixture.Node.LoseLink(new EndpointKey("dead", "eth0"));
        fixture.Node.Namespaces.Remove("/ns/b");
        fixture.Store.Reserve(new EndpointKey("interrupted", "eth0"), "/ns/a", "", []);
        fixture.Node.Entries["10.9.9.9"] = 77;
        fixture.Restart(adopt: true);
        Assert.Equal(CniFixture.Container, fixture.Store.All.Single().ContainerId);
        Assert.Single(fixture.Node.Programs);
        Assert.Equal(2, fixture.Node.Entries.Count);
    }

    [Fact]
    public async Task Released_addresses_go_on_resting_and_ranges_are_known_without_the_API()
    {
        using var fixture = new CniFixture("10.1.0.0/29");
        await fixture.Run("ADD");
        await fixture.Run("DEL");
        fixture.Restart();
        var given = new List<string>();
        for (var i = 0; i < 4; i++)
            given.AddRange(CniFixture.AddressesOf(await fixture.Run("ADD", $"p{i}")));
        Assert.Equal(["10.1.0.3/32", "10.1.0.4/32", "10.1.0.5/32", "10.1.0.6/32"], given);
        await fixture.Fails(CniFixture.Request("ADD", "p9"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_mount_that_shows_no_namespaces_removes_no_living_pod(bool directoryIsThere)
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        await fixture.Run("ADD", "other", netns: "/ns/b");
        fixture.Node.Namespaces.Clear();
        if (directoryIsThere)
            fixture.Node.GoneNamespaces.UnionWith(["/ns/a", "/ns/b"]);
        fixture.Restart(adopt: true);
        Assert.Equal((2, 2, 2), (fixture.Store.All.Count, fixture.Node.Links.Count, fixture.Node.Programs.Count));
        Assert.Equal(4, fixture.Node.Entries.Count);
    }

    [Fact]
    public async Task A_pod_that_has_lost_its_interface_alone_keeps_its_addresses_until_its_DEL()
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run("ADD");
        fixture.Node.LoseLink(new EndpointKey(CniFixture.Container, "eth0"));
        fixture.Restart(adopt: true);
        Assert.Equal(CniFixture.Container, fixture.Store.All.Single().ContainerId);
        // Nothing leads to an interface that is not there.
        Assert.Empty(fixture.Node.Entries);
        Assert.Empty(fixture.Node.Programs);
        await fixture.Run("DEL");
        Assert.True(fixture.Node.Empty);
        Assert.Empty(fixture.Files);
    }

    [Fact]
    public async Task Where_no_interface_is_the_pods_alone_its_namespace_tells_unless_none_is_to_be_seen()
    {
        using var fixture = new CniFixture { Chained = true };
        fixture.Restart();
        fixture.Node.Foreign["/ns/a"] = (new ChainedInterface("", ""), "02:00:00:00:00:22");
        await fixture.Run(CniFixture.Request("ADD", extra: ",\"prevResult\":{\"ips\":[{\"address\":\"10.9.0.7/24\"}]}"));
        var key = new EndpointKey(CniFixture.Container, "eth0");
        fixture.Node.Links[key] = 0;
        fixture.Node.Foreign["/ns/b"] = (new ChainedInterface("veth2", "02:00:00:00:00:33"), "02:00:00:00:00:34");
        await fixture.Run(CniFixture.Request("ADD", "other", "/ns/b", extra: ",\"prevResult\":{\"ips\":[{\"address\":\"10.9.0.8/24\"}]}"));
        fixture.Node.GoneNamespaces.Add("/ns/a");
        fixture.Node.Namespaces.Clear(); // also the one of the pod whose interface is there
        fixture.Restart(adopt: true);
        Assert.Equal(2, fixture.Store.All.Count);
        fixture.Node.Namespaces.Add("/ns/b");
        fixture.Restart(adopt: true);
        Assert.Equal("other", fixture.Store.All.Single().ContainerId);
    }

    [Fact]
    public void An_interface_without_a_record_is_removed()
    {
        using var fixture = new CniFixture();
        fixture.Node.Links[new EndpointKey("stray", "eth0")] = 9;
        fixture.Restart(adopt: true);
        Assert.Empty(fixture.Node.Links);
    }

    [Theory]
    [InlineData("\"10.1.0.2\"", "\"10.1.0.two\"")]
    [InlineData("\"number\": 1", "\"number\": 0")]
    [InlineData("\"10.1.0.2\"", "null")]
    public async Task A_record_that_is_JSON_and_nonsense_is_set_aside_too(string right, string wrong)
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run("ADD");
        var file = fixture.Files.Single();
        Assert.Contains(right, File.ReadAllText(file), StringComparison.Ordinal);
        File.WriteAllText(file, File.ReadAllText(file).Replace(right, wrong, StringComparison.Ordinal));
        fixture.Restart(adopt: true);
        Assert.Empty(fixture.Store.All);
        Assert.EndsWith(".bad", fixture.Files.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_keeps_no_pod_from_being_deleted_and_no_range_from_being_used()
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run("ADD");
        fixture.BreakPoolFile();
        await fixture.Run("DEL");
        Assert.Empty(fixture.Store.All);
        fixture.Store.SetRanges([PodCidr.Parse("10.2.0.0/24")]);
        Assert.Equal(["10.2.0.2/32"], CniFixture.AddressesOf(await fixture.Run("ADD")));
    }

    [Fact]
    public async Task A_damaged_record_is_set_aside_and_the_others_live()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        File.WriteAllText(Path.Combine(fixture.EndpointDirectory, "0123456789a.json"), "{\"containerId\":");
        File.WriteAllText(Path.Combine(fixture.EndpointDirectory, ".tmp-x"), "half");
        fixture.Restart(adopt: true);
        Assert.Single(fixture.Store.All);
        Assert.Contains(fixture.Files, f => f.EndsWith("0123456789a.json.bad", StringComparison.Ordinal));
        Assert.DoesNotContain(fixture.Files, f => f.Contains(".tmp-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Random_histories_with_failures_and_kills_neither_leak_nor_share_an_address()
    {
        var random = new Random(Seed.Next());
        using var fixture = new CniFixture("10.1.0.0/26", "fd00:1::/122");
        string[] steps = ["create", "attach", "publish", "configure", "connect", "delete", "withdraw", "detach"];
        for (var round = 0; round < 600; round++)
        {
            var (container, action) = ($"c{random.Next(12)}", random.Next(10));
            fixture.Node.FailAt = random.Next(3) == 0 ? steps[random.Next(steps.Length)] : null;
            fixture.Node.FailAfterEffect = random.Next(2) == 0;
            if (action == 0)
            {
                fixture.Node.FailAt = null;
                fixture.Restart(adopt: true);
            }
            else
            {
                await Record.ExceptionAsync(() => fixture.Run(action < 6 ? "ADD" : "DEL", container));
            }

            fixture.Time.Advance(TimeSpan.FromSeconds(random.Next(40)));
            var given = fixture.Store.All.SelectMany(r => r.Addresses).ToList();
            Assert.Equal(given.Count, given.Distinct().Count());
            Assert.True(fixture.Node.Links.Keys.All(k => fixture.Store.Find(k) is not null), "a link without a record");
            Assert.True(fixture.Node.Entries.Keys.All(given.Contains), "an endpoint entry without a record");
        }

        fixture.Node.FailAt = null;
        for (var i = 0; i < 12; i++)
            await fixture.Run("DEL", $"c{i}");
        Assert.True(fixture.Node.Empty, "something is left on the node");
        Assert.Empty(fixture.Files);
        Assert.All(fixture.Store.Usage, u => Assert.Equal(0, u.InUse));
    }
}

using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>DELs that came while no agent was there.</summary>
public class PendingDeleteTests
{
    [Fact]
    public async Task One_that_takes_its_time_or_fails_keeps_nobody_elses_pod_waiting()
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run("ADD", "gone");
        Queue(fixture, "gone");
        Queue(fixture, "never-here");
        using var release = new ManualResetEventSlim();
        fixture.Node.BeforeDelete = key =>
        {
            if (key.ContainerId == "gone")
                release.Wait(TestContext.Current.CancellationToken);
        };
        var pending = fixture.Handler.DeletePendingAsync(TestContext.Current.CancellationToken);
        try
        {
            await fixture.Run("ADD", "next").WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            await fixture.Run(CniFixture.Request("STATUS", version: "1.1.0"))
                .WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            Assert.False(pending.IsCompleted);
        }
        finally
        {
            release.Set();
        }

        await pending;
        Assert.Equal("next", fixture.Store.All.Single().ContainerId);
        Assert.Empty(Directory.GetFiles(fixture.QueueDirectory));
    }

    [Fact]
    public async Task A_queued_DEL_comes_before_the_ADD_that_asks_for_its_address()
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run("ADD", "gone");
        Queue(fixture, "gone");
        var added = await fixture.Run(CniFixture.Request("ADD", "next", extra: ",\"runtimeConfig\":{\"ips\":[\"10.1.0.2\"]}"));
        Assert.Equal(["10.1.0.2/32"], CniFixture.AddressesOf(added));
        Assert.Equal("next", fixture.Store.All.Single().ContainerId);
    }

    [Fact]
    public async Task A_starting_agent_adopts_no_pod_whose_DEL_waits()
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run("ADD", "gone");
        await fixture.Run("ADD", "there");
        Queue(fixture, "gone");
        fixture.Node.Steps.Clear();
        fixture.Restart(adopt: true);
        Assert.Equal(["attach", "publish", "connect"], fixture.Node.Steps);
        Assert.Equal(2, fixture.Store.All.Count);
        await fixture.Handler.DeletePendingAsync(default);
        Assert.Equal("there", fixture.Store.All.Single().ContainerId);
        Assert.Single(fixture.Node.Links);
    }

    [Fact]
    public async Task A_queued_DEL_comes_before_the_ADD_of_the_same_name()
    {
        using var fixture = new CniFixture("10.1.0.0/24");
        await fixture.Run("ADD");
        Queue(fixture, CniFixture.Container);
        Assert.Equal(["10.1.0.3/32"], CniFixture.AddressesOf(await fixture.Run("ADD")));
        await fixture.Handler.DeletePendingAsync(default);
        Assert.Single(fixture.Store.All);
    }

    [Fact]
    public async Task One_that_fails_stays_queued_and_is_tried_again()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        Queue(fixture, CniFixture.Container);
        fixture.Node.FailAt = "delete";
        await fixture.Handler.DeletePendingAsync(default);
        Assert.Single(fixture.Store.All);
        Assert.Single(Directory.GetFiles(fixture.QueueDirectory));
        fixture.Node.FailAt = null;
        await fixture.Handler.DeletePendingAsync(default);
        Assert.True(fixture.Node.Empty);
        Assert.Empty(Directory.GetFiles(fixture.QueueDirectory));
    }

    [Fact]
    public async Task A_DEL_that_the_agent_does_itself_ends_the_queued_one()
    {
        using var fixture = new CniFixture();
        Queue(fixture, CniFixture.Container);
        await fixture.Run("DEL");
        Assert.Empty(Directory.GetFiles(fixture.QueueDirectory));
    }

    [Fact]
    public async Task What_is_no_queued_DEL_is_removed_and_deletes_nothing()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        // Another name than its content gives; no JSON; an id that is a path; one that is too long.
        File.WriteAllBytes(Path.Combine(fixture.QueueDirectory, "x.json"), new PendingDelete(CniFixture.Container, "eth0").ToJson());
        File.WriteAllText(Path.Combine(fixture.QueueDirectory, "y.json"), "{\"containerId\":");
        File.WriteAllText(Path.Combine(fixture.QueueDirectory, "z.json"), "{\"containerId\":\"../x\",\"ifname\":\"eth0\"}");
        File.WriteAllBytes(Path.Combine(fixture.QueueDirectory, "w.json"), new byte[1 << 20]);
        File.WriteAllText(Path.Combine(fixture.QueueDirectory, ".half"), "");
        await fixture.Handler.DeletePendingAsync(default);
        Assert.Single(fixture.Store.All);
        Assert.Equal([".half"], Directory.GetFiles(fixture.QueueDirectory).Select(Path.GetFileName));
        fixture.Restart();
        Assert.Empty(Directory.GetFiles(fixture.QueueDirectory));
    }

    [Fact]
    public void Names_of_files_are_names_and_tell_attachments_apart()
    {
        var ids = new[] { "a", new string('a', 255), new string('a', 254) + "b", "a.b_c-d" };
        var names = ids.SelectMany(id => new[] { "eth0", "eth1", "e@.." }.Select(i => new PendingDelete(id, i).FileName)).ToList();
        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.All(names, n => Assert.True(n.Length <= 255 && !n.Contains('/', StringComparison.Ordinal) && n[0] != '.', n));
        Assert.All(ids, id => Assert.Equal(new PendingDelete(id, "eth0"), PendingDelete.Parse(new PendingDelete(id, "eth0").ToJson())));
    }

    private static void Queue(CniFixture fixture, string container)
    {
        var pending = new PendingDelete(container, "eth0");
        File.WriteAllBytes(Path.Combine(fixture.QueueDirectory, pending.FileName), pending.ToJson());
    }
}

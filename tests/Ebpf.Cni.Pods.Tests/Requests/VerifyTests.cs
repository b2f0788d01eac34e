namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>Pods that lose what others do not know to be theirs.</summary>
public sealed class VerifyTests
{
    [Fact]
    public async Task What_a_living_pod_has_lost_is_put_back_and_nothing_else_is_touched()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        await fixture.Run("ADD", "c2", netns: "/ns/b");
        Assert.Equal(0, await fixture.Handler.VerifyAsync(CancellationToken.None));

        var lost = fixture.Node.Entries.Keys.First();
        fixture.Node.Entries.Remove(lost);
        fixture.Node.Programs.Clear();
        fixture.Node.Steps.Clear();
        Assert.Equal(1, await fixture.Handler.VerifyAsync(CancellationToken.None));
        Assert.Contains(lost, fixture.Node.Entries.Keys);
        Assert.Equal(["attach", "publish"], fixture.Node.Steps);
        Assert.Equal(0, await fixture.Handler.VerifyAsync(CancellationToken.None));
    }

    [Fact]
    public async Task One_that_cannot_be_repaired_keeps_nobody_from_it()
    {
        using var fixture = new CniFixture();
        await fixture.Run("ADD");
        fixture.Node.Entries.Clear();
        fixture.Node.FailAt = "attach";
        Assert.Equal(0, await fixture.Handler.VerifyAsync(CancellationToken.None));
        fixture.Node.FailAt = null;
        Assert.Equal(1, await fixture.Handler.VerifyAsync(CancellationToken.None));
    }
}

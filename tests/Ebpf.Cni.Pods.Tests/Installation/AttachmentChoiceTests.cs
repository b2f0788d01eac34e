using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Installation;

/// <summary>Which pods get links, and which filters.</summary>
public sealed class AttachmentChoiceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(false, """{"name":"n","plugins":[{"type":"ebpf-cni"}]}""")]
    [InlineData(false, """{"name":"n","plugins":[{"type":"tuning"},{"type":"ebpf-cni"}]}""")]
    [InlineData(true, """{"name":"n","plugins":[{"type":"ebpf-cni"},{"type":"bandwidth"}]}""")]
    [InlineData(false, """{"name":"n","plugins":[{"type":"bridge"},{"type":"bandwidth"}]}""")]
    [InlineData(false, """{"name":"n","type":"ebpf-cni"}""")]
    [InlineData(false, """{"name":"n","plugins":3}""")]
    [InlineData(false, """[]""")]
    [InlineData(false, "not JSON")]
    public void Another_plugin_behind_ours_asks_for_links(bool links, string configuration)
    {
        var choice = Choice(PodAttachment.Auto);
        Assert.False(choice.Links());
        File.WriteAllText(_directory["net.d/10-x.conflist"], configuration);
        Assert.Equal(links, choice.Links());
        Assert.Equal(links, choice.Links());
        File.Delete(_directory["net.d/10-x.conflist"]);
        Assert.False(choice.Links());
    }

    [Fact]
    public void So_does_one_before_us_and_whoever_names_the_kind()
    {
        Assert.True(Choice(PodAttachment.Auto, chained: true).Links());
        Assert.True(Choice(PodAttachment.Tcx).Links());
        Assert.False(Choice(PodAttachment.Clsact, chained: true).Links());
    }

    private AttachmentChoice Choice(PodAttachment attachment, bool chained = false)
    {
        Directory.CreateDirectory(_directory["net.d"]);
        return new(attachment, chained, _directory["net.d"]);
    }
}

using System.Text.Json;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Pods.Tests.Installation;

/// <summary>Behind another plugin: what the container runtime finds, whatever the other one does with its file.</summary>
public sealed class ChainedInstallerTests : IDisposable
{
    private const string Other = """{"cniVersion":"0.4.0","name":"other","disableCheck":true,"plugins":[{"type":"bridge","ipam":{"type":"host-local"}},{"type":"portmap","capabilities":{"portMappings":true}}]}""";

    private readonly TemporaryDirectory _directory = new();

    public ChainedInstallerTests()
    {
        File.WriteAllText(_directory["plugin"], "binary");
        Directory.CreateDirectory(_directory["net.d"]);
    }

    private string Own => Path.Combine(_directory["net.d"], "05-ebpf-cni.conflist");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Ours_is_the_last_plugin_of_the_others_list_and_the_others_file_is_as_it_was()
    {
        Write("10-other.conflist", Other);
        Assert.Null(Install());
        var root = Root();
        Assert.Equal(("0.4.0", "other", true), (root.GetProperty("cniVersion").GetString(), root.GetProperty("name").GetString(),
            root.GetProperty("disableCheck").GetBoolean()));
        var plugins = root.GetProperty("plugins").EnumerateArray().ToList();
        Assert.Equal(["bridge", "portmap", "ebpf-cni"], plugins.Select(p => p.GetProperty("type").GetString()));
        Assert.Equal("host-local", plugins[0].GetProperty("ipam").GetProperty("type").GetString());
        // Theirs does hostPorts.
        Assert.Empty(plugins[2].GetProperty("capabilities").EnumerateObject());
        Assert.Equal(Other, File.ReadAllText(Path.Combine(_directory["net.d"], "10-other.conflist")));
    }

    [Fact]
    public void A_single_plugins_file_becomes_a_list_and_hostPorts_are_ours()
    {
        Write("10-other.conf", """{"cniVersion":"1.0.0","name":"other","type":"bridge","bridge":"cni0"}""");
        Assert.Null(Install());
        var plugins = Root().GetProperty("plugins").EnumerateArray().ToList();
        Assert.Equal("cni0", plugins[0].GetProperty("bridge").GetString());
        Assert.True(plugins[1].GetProperty("capabilities").GetProperty("portMappings").GetBoolean());
        Assert.Equal(["cniVersion", "name", "plugins"], Root().EnumerateObject().Select(m => m.Name));
    }

    [Fact]
    public void It_follows_the_other_that_comes_late_changes_and_goes()
    {
        Assert.Contains("no other CNI plugin", Install(), StringComparison.Ordinal);
        Assert.False(File.Exists(Own));
        Write("10-other.conflist", Other);
        Assert.Null(Install());
        Write("10-other.conflist", Other.Replace("\"other\"", "\"changed\"", StringComparison.Ordinal));
        Assert.Null(Install());
        Assert.Equal("changed", Root().GetProperty("name").GetString());
        Write("10-other.conflist", "{\"half\":");
        Assert.NotNull(Install());
        Assert.Equal("changed", Root().GetProperty("name").GetString());
        File.Delete(Path.Combine(_directory["net.d"], "10-other.conflist"));
        Assert.NotNull(Install());
        Assert.False(File.Exists(Own));
    }

    [Fact]
    public void Who_put_our_plugin_in_himself_is_left_alone_and_who_sorts_first_is_named()
    {
        Write("10-other.conflist", Other.Replace("\"portmap\"", "\"ebpf-cni\"", StringComparison.Ordinal));
        Assert.Null(Install());
        Assert.False(File.Exists(Own));
        Write("00-other.conflist", Other);
        Assert.Contains("sorts before", Install(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0.1.0")]
    [InlineData("0.3.0")] // Azure's, Antrea's and kube-router's
    public void Old_versions_stay_as_they_are(string version)
    {
        Write("10-other.conflist", Other.Replace("0.4.0", version, StringComparison.Ordinal));
        Assert.Null(Install());
        Assert.Equal(version, Root().GetProperty("cniVersion").GetString());
    }

    [Fact]
    public void Behind_a_version_that_ours_does_not_speak_it_is_not_put()
    {
        Write("10-other.conflist", Other);
        Assert.Null(Install());
        Write("10-other.conflist", Other.Replace("0.4.0", "2.0.0", StringComparison.Ordinal));
        Assert.Contains("cniVersion '2.0.0'", Install(), StringComparison.Ordinal);
        Assert.False(File.Exists(Own));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"name\":7,\"type\":\"x\"}")]
    [InlineData("{\"name\":\"x\"}")]
    [InlineData("{\"name\":\"x\",\"plugins\":{}}")]
    public void What_is_no_configuration_is_named(string text)
    {
        Write("10-other.conflist", text);
        Assert.Contains("10-other.conflist cannot be read", Install(), StringComparison.Ordinal);
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_directory["net.d"], name), text);

    private string? Install() => new CniInstaller(
        new PluginPaths(_directory["net.d"], _directory["bin"], _directory["plugin"], "/run/x/cni.sock"), NullLogger<CniInstaller>.Instance)
            .InstallChained();

    private JsonElement Root() => JsonDocument.Parse(File.ReadAllText(Own)).RootElement;
}

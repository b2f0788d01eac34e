using System.Text.Json;
using Ebpf.Cni.Pods.Files;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Pods.Tests.Installation;

/// <summary>What the container runtime finds.</summary>
public sealed class InstallerTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private PluginPaths Paths => new(_directory["net.d"], _directory["bin"], _directory["plugin"], "/run/x/cni.sock");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Plugin_and_configuration_are_there_and_nothing_else()
    {
        File.WriteAllText(Paths.Plugin, "binary");
        Install();
        Assert.Equal([Path.Combine(Paths.BinDir, "ebpf-cni")], Directory.GetFiles(Paths.BinDir));
        Assert.Equal("binary", File.ReadAllText(Path.Combine(Paths.BinDir, "ebpf-cni")));
        Assert.True(File.GetUnixFileMode(Path.Combine(Paths.BinDir, "ebpf-cni")).HasFlag(UnixFileMode.OtherExecute));
        var file = Assert.Single(Directory.GetFiles(Paths.ConfDir));
        Assert.Equal("05-ebpf-cni.conflist", Path.GetFileName(file));
        using var configuration = JsonDocument.Parse(File.ReadAllText(file));
        // containerd before 2.0 reads the first alone; newer runtimes take the newest that they know, and ask for STATUS and GC.
        Assert.Equal("1.0.0", configuration.RootElement.GetProperty("cniVersion").GetString());
        Assert.Equal(["1.0.0", "1.1.0"], configuration.RootElement.GetProperty("cniVersions").EnumerateArray().Select(v => v.GetString()));
        var plugin = Assert.Single(configuration.RootElement.GetProperty("plugins").EnumerateArray());
        foreach (var capability in new[] { "portMappings", "ips", "mac", "bandwidth" })
            Assert.True(plugin.GetProperty("capabilities").GetProperty(capability).GetBoolean());
        Assert.Equal(("ebpf-cni", "/run/x/cni.sock"),
            (plugin.GetProperty("type").GetString(), plugin.GetProperty("agentSocket").GetString()));
    }

    [Fact]
    public void What_is_right_is_left_alone_and_what_is_not_is_replaced()
    {
        File.WriteAllText(Paths.Plugin, "binary");
        Install();
        var installed = Path.Combine(Paths.BinDir, "ebpf-cni");
        File.SetLastWriteTimeUtc(installed, DateTime.UnixEpoch);
        Install();
        Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(installed));
        File.WriteAllText(Paths.Plugin, "newer");
        Install();
        Assert.Equal("newer", File.ReadAllText(installed));
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_file_and_no_other()
    {
        var target = _directory["target"];
        Directory.CreateDirectory(target); // a file cannot replace a directory
        Assert.ThrowsAny<Exception>(() => AtomicFile.Write(target, "x"u8, UnixFileMode.UserRead));
        Assert.Empty(Directory.GetFiles(_directory.Path));
    }

    private void Install() => new CniInstaller(Paths, NullLogger<CniInstaller>.Instance).Install();
}

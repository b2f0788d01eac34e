using System.Diagnostics;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Image;

/// <summary>The image's files: complete, few, and nothing that somebody who got in could use.</summary>
public sealed class RootFileSystemTests(ITestOutputHelper output)
{
    private const long LargestImage = 60_000_000;
    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private static readonly string[] OwnPrograms = ["ebpf-cni", "ebpf-cni-agent", "ecni"];

    [Fact]
    public void It_is_small()
    {
        var size = RootFileSystem.Entries().OfType<FileInfo>().Where(f => f.LinkTarget is null).Sum(f => f.Length);
        output.WriteLine($"figure: the image's files have {size / 1e6:0.0} MB");
        Assert.InRange(size, 1, LargestImage);
    }

    [Fact]
    public void Programs_are_ours_and_the_linker_and_no_shell_is_among_them()
    {
        var programs = RootFileSystem.Entries().OfType<FileInfo>().Where(f => f.LinkTarget is null && (f.UnixFileMode & Executable) != 0)
            .Select(f => f.Name).Where(n => !n.StartsWith("ld-linux-", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
        Assert.Empty(programs.Except(OwnPrograms));
        Assert.Contains("ebpf-cni-agent", programs);
        Assert.DoesNotContain(RootFileSystem.Entries(),
            e => e.Name is "sh" or "bash" or "busybox" or "apt" or "dpkg" or "cc" or "gcc" or "ld");
        Assert.DoesNotContain(RootFileSystem.Entries(),
            e => e.LinkTarget is null && (e.UnixFileMode & (UnixFileMode.SetUser | UnixFileMode.SetGroup)) != 0);
        Assert.True(Directory.EnumerateFiles("/bin/").Any(f => Path.GetFileName(f) is "sh"),
            "the control: this machine has a shell, and it is found");
    }

    [Fact]
    public void What_is_promised_is_at_its_place()
    {
        Assert.All(
            ["opt/ebpf-cni/ebpf-cni-agent", "opt/ebpf-cni/ebpf-cni", "opt/ebpf-cni/bpf/socket.bpf.o", "opt/ebpf-cni/bpf/pod.bpf.o",
                "opt/ebpf-cni/bpf/uplink.bpf.o",
                "opt/ebpf-cni/bpf/overlay.bpf.o", "etc/ssl/certs/ca-certificates.crt", "etc/passwd", "etc/group", "etc/nsswitch.conf",
                "usr/share/doc/ebpf-cni/LICENSE"],
            name => Assert.True(File.Exists(Path.Combine(RootFileSystem.Directory, name)), name));
        Assert.Equal("../run", new FileInfo(Path.Combine(RootFileSystem.Directory, "var/run")).LinkTarget);
        Assert.Equal("/opt/ebpf-cni/ecni", new FileInfo(Path.Combine(RootFileSystem.Directory, "usr/bin/ecni")).LinkTarget);
        Assert.All(
            ["kubectl-ecni", "kubectl_complete-ecni"],
            name => Assert.Equal("ecni", new FileInfo(Path.Combine(RootFileSystem.Directory, "opt/ebpf-cni", name)).LinkTarget));
        var libraries = RootFileSystem.Entries().Where(e => e.Name.Contains(".so", StringComparison.Ordinal)).Select(e => e.Name).ToList();
        Assert.All(["libbpf.so.1", "libelf.so.1", "libz.so.1", "libssl.so.3", "libcrypto.so.3", "libc.so.6"],
            name => Assert.Contains(name, libraries));
    }

    [Fact]
    public async Task Its_programs_find_their_libraries_there_and_run()
    {
        Requires.Root();
        Assert.StartsWith("0.", (await InsideAsync("/opt/ebpf-cni/ebpf-cni-agent", "--version")).Output, StringComparison.Ordinal);
        Assert.StartsWith("0.", (await InsideAsync("/usr/bin/ecni", "--version")).Output, StringComparison.Ordinal);
        Assert.Contains("CNI_COMMAND is not set", (await InsideAsync("/opt/ebpf-cni/ebpf-cni")).Output, StringComparison.Ordinal);
        var linker = RootFileSystem.Entries().Single(e => e.Name.StartsWith("ld-linux-", StringComparison.Ordinal)).Name;
        // what is asked for by name at run time has needs of its own
        foreach (var library in RootFileSystem.Entries()
            .Where(e => e.Name.StartsWith("lib", StringComparison.Ordinal) && e.Name.Contains(".so", StringComparison.Ordinal)))
        {
            var path = "/" + Path.GetRelativePath(RootFileSystem.Directory, library.FullName);
            var (code, said) = await InsideAsync(linker.Contains("x86", StringComparison.Ordinal) ? $"/lib64/{linker}" : $"/lib/{linker}",
                "--list", path);
            Assert.True(code == 0 && !said.Contains("not found", StringComparison.Ordinal), said);
        }
    }

    [Fact]
    public async Task A_linker_that_misses_a_library_says_so()
    {
        Requires.Root();
        var linker = RootFileSystem.Entries().Single(e => e.Name.StartsWith("ld-linux-", StringComparison.Ordinal)).Name;
        var (code, said) = await InsideAsync(linker.Contains("x86", StringComparison.Ordinal) ? $"/lib64/{linker}" : $"/lib/{linker}",
            "--list", "/usr/lib/no-such-library.so");
        Assert.NotEqual(0, code);
        Assert.Contains("cannot open shared object file", said, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output)> InsideAsync(params string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo("chroot", [RootFileSystem.Directory, .. command])
            { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, said + await errors);
    }
}

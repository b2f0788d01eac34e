using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>
/// A process that stands for a node's first one, in a mount namespace of its own: what is mounted there goes with it. <see cref="Proc"/> is
/// what a container would be given of the node's /proc.
/// </summary>
internal sealed class NodeProcess : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly System.Diagnostics.Process _process;

    /// <param name="script">What is mounted and unmounted, in words of the shell.</param>
    public NodeProcess(string script)
    {
        // /run and the mounts of cgroups are the machine's: what is made in a directory of them would stay
        string[] command = ["--mount", "--propagation", "private", "sh", "-ec",
            $"mount -t tmpfs none /run; {script}\necho ready; exec sleep 600"];
        _process = System.Diagnostics.Process.Start(new ProcessStartInfo("unshare", command) { RedirectStandardOutput = true })!;
        Assert.Equal("ready", _process.StandardOutput.ReadLine());
        Directory.CreateDirectory(_directory["proc/1/ns"]);
        foreach (var kind in (string[])["mnt", "cgroup"])
            File.CreateSymbolicLink(_directory[$"proc/1/ns/{kind}"], $"/proc/{Id}/ns/{kind}");
    }

    public string Proc => _directory["proc"];

    /// <summary>
    /// Lines of mountinfo, without the numbers of mounts. Network namespaces of others, which vanish from everybody's table with their
    /// files, are left out.
    /// </summary>
    public IReadOnlyList<string> Mounts =>
        [.. File.ReadLines($"/proc/{Id}/mountinfo").Where(l => !l.Contains(" - nsfs ", StringComparison.Ordinal))
            .Select(l => string.Join(' ', l.Split(' ').Skip(3)))];

    private string Id => _process.Id.ToString(CultureInfo.InvariantCulture);

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _directory.Dispose();
    }
}

using System.Diagnostics;
using System.Globalization;

namespace Ebpf.Cni.EndToEnd.Tests.Image;

/// <summary>
/// Stands for a node's first process: the machine's own belongs to nobody's test. It is in a mount namespace where no bpffs is mounted, and
/// what is mounted there goes with it.
/// </summary>
internal sealed class FirstProcess : IDisposable
{
    private readonly Process _process;

    public FirstProcess()
    {
        const string script = "mount -t tmpfs none /run; umount -l /sys/fs/bpf; echo ready; exec sleep 3600";
        _process = Process.Start(new ProcessStartInfo("unshare", ["--mount", "--propagation", "private", "sh", "-ec", script])
            { RedirectStandardOutput = true })!;
        if (_process.StandardOutput.ReadLine() != "ready")
            throw new InvalidOperationException("there is no mount namespace to be had");
    }

    /// <summary>Its directory in /proc.</summary>
    public string Proc => string.Create(CultureInfo.InvariantCulture, $"/proc/{_process.Id}");

    /// <summary>What is mounted there: place and type.</summary>
    public IEnumerable<(string Path, string Type)> Mounts =>
        File.ReadLines(Proc + "/mountinfo").Select(l => l.Split(" - ")).Select(h => (h[0].Split(' ')[4], h[1].Split(' ')[0]));

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}

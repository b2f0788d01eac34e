using Ebpf.Cni.Agent.Uninstall;

namespace Ebpf.Cni.Agent.Tests.Uninstall;

/// <summary>The command line of cleanup: its own switches anywhere, everything else is the agent's.</summary>
public sealed class CleanupArgumentsTests
{
    [Theory]
    [InlineData("", false, false, null, "")]
    [InlineData("--force", true, false, null, "")]
    [InlineData("--stay --force", true, true, null, "")]
    [InlineData("--host-proc /host/proc --config a.json", false, false, "/host/proc", "--config a.json")]
    [InlineData("--run-dir /r --host-proc=/p --stay --state-dir /s", false, true, "/p", "--run-dir /r --state-dir /s")]
    [InlineData("--forced", false, false, null, "--forced")]
    [InlineData("--host-proc=", false, false, "", "")]
    [InlineData("--force --host-proc", true, false, "", "")]
    public void Switches_are_told_from_options(string text, bool force, bool stay, string? hostProc, string options)
    {
        var read = CleanupArguments.Read(text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal((force, stay, hostProc, options), (read.Force, read.Stay, read.HostProc, string.Join(' ', read.Options)));
    }
}

namespace Ebpf.Cni.Agent.Uninstall;

/// <summary>The switches of "cleanup" that are no options of the agent. Pure.</summary>
/// <param name="Force">Also while pods use the network.</param>
/// <param name="Stay">Do not end after a success.</param>
/// <param name="HostProc">Where the node's /proc is mounted; null on the node itself.</param>
/// <param name="Options">All other arguments.</param>
internal sealed record CleanupArguments(bool Force, bool Stay, string? HostProc, IReadOnlyList<string> Options)
{
    public const string ForceSwitch = "--force", StaySwitch = "--stay";

    public static CleanupArguments Read(IReadOnlyList<string> arguments)
    {
        var (hostProc, others) = Agent.Options.HostProc.Split(arguments);
        return new CleanupArguments(
            others.Contains(ForceSwitch), others.Contains(StaySwitch), hostProc,
            [.. others.Where(o => o is not (ForceSwitch or StaySwitch))]);
    }
}

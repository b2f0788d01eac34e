namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>What a tc program returns, as a test run shows it: an unsigned number.</summary>
internal static class Verdicts
{
    /// <summary>TC_ACT_UNSPEC: the next tcx program and the clsact filters of the device see the packet, too.</summary>
    public const uint GoOn = uint.MaxValue;
}

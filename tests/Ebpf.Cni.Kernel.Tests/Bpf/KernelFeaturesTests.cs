using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class KernelFeaturesTests : PrivilegedTest
{
    [Fact]
    public void Features_are_found_and_told()
    {
        var features = KernelFeatures.Probe();
        foreach (var finding in features.Findings)
        {
            Console.WriteLine($"{(finding.Present ? "yes" : "no ")} {finding.Name}{(finding.Present ? "" : ": " + finding.AbsenceCosts)}");
            Assert.EndsWith(".", finding.AbsenceCosts, StringComparison.Ordinal);
        }
        // every kernel this project supports (5.10 on) has these
        Assert.True(features.BatchOps && features.RingBuffer && features.MappableArrays && features.CgroupLinks && features.NetnsCookie);
    }

    [Fact]
    public void Tcx_is_there_exactly_if_it_attaches()
    {
        var veth = Own(new VethPair());
        var program = Own(BpfProgram.Load("ebc_next", BpfProgramType.TrafficClassifier, [BpfInstruction.Move(0, -1), BpfInstruction.Exit]));
        var attached = true;
        try
        {
            veth.Namespace.Run(() => BpfLink.AttachTcx(program, veth.FarIndex, TcDirection.Ingress)).Dispose();
        }
        catch (KernelException)
        {
            attached = false;
        }
        Assert.Equal(attached, KernelFeatures.Probe().Tcx);
    }
}

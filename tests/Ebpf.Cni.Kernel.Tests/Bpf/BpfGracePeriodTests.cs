using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class BpfGracePeriodTests : PrivilegedTest
{
    [Fact]
    public void The_kernel_can_be_asked_to_wait_again_and_again()
    {
        using var readers = BpfGracePeriod.Create();
        for (var i = 0; i < 5; i++)
            readers.Wait();
        Parallel.For(0, 4, _ => readers.Wait());
    }

    [Fact]
    public void An_array_of_maps_takes_only_maps_of_its_kind()
    {
        using var inner = BpfMap.Create(new BpfMapSpec("inner", BpfMapType.Array, 4, 4, 1));
        using var other = BpfMap.Create(new BpfMapSpec("other", BpfMapType.Hash, 4, 4, 1));
        using var outer = BpfMap.CreateOfMaps("outer", 2, inner);
        Assert.Equal(BpfMapType.ArrayOfMaps, outer.Info.Type);
        outer.SetMap(1, inner);
        Assert.Equal(Errno.E2BIG, Assert.Throws<KernelException>(() => outer.SetMap(2, inner)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<KernelException>(() => outer.SetMap(0, other)).Errno);
    }
}

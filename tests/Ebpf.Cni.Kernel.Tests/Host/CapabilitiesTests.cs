using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Kernel.Tests.Host;

public sealed class CapabilitiesTests
{
    [Fact]
    public void They_are_read_as_the_kernel_writes_them()
    {
        var some = Capabilities.Parse(["CapPrm:\t000001ffffffffff", "CapEff:\t0000000000201000", "CapBnd:\t000001ffffffffff"]);
        Assert.True(some.Has(Capability.NetAdmin) && some.Has(Capability.SysAdmin));
        Assert.False(some.Has(Capability.SysPtrace));
        Assert.Throws<InvalidDataException>(() => Capabilities.Parse([]));
    }

    [Fact]
    public void Each_has_the_kernels_name() =>
        Assert.All(Enum.GetValues<Capability>(), c => Assert.Equal(
            "cap" + c, Capabilities.Name(c).Replace("_", "", StringComparison.Ordinal).Replace("CAP", "cap", StringComparison.Ordinal),
            ignoreCase: true));

    [Theory]
    [InlineData(Errno.EPERM, true, true)]
    [InlineData(Errno.EPERM, false, false)]
    [InlineData(Errno.ENOMEM, true, false)]
    public void What_old_kernels_need_is_named_where_it_may_be_the_cause(int errno, bool limited, bool named) =>
        Assert.Equal(named, Kernel.Bpf.LockedMemory.Hint(errno, limited)?.Contains("CAP_SYS_RESOURCE", StringComparison.Ordinal) == true);

    [Fact]
    public void This_process_has_some() => Assert.Equal(Environment.IsPrivilegedProcess, Capabilities.Effective().Has(Capability.NetAdmin));
}

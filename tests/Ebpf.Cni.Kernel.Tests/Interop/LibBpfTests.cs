using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Tests.Interop;

public sealed class LibBpfTests
{
    [Fact]
    public void A_library_that_is_not_there_is_named_with_the_variable_that_named_it()
    {
        var error = Assert.Throws<DllNotFoundException>(() => LibBpf.Find("/nonexistent/libbpf.so"));
        Assert.Contains("EBPF_CNI_LIBBPF", error.Message, StringComparison.Ordinal);
        Assert.Contains("/nonexistent/libbpf.so", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_variable_the_systems_library_is_taken() => Assert.NotEqual(0, LibBpf.Find(null));

    [Theory]
    [InlineData(2, "ENOENT")]
    [InlineData(95, "EOPNOTSUPP")]
    [InlineData(133, "EHWPOISON")]
    [InlineData(524, "ENOTSUPP")]
    [InlineData(4000, "4000")]
    public void Error_numbers_have_their_names(int errno, string name) => Assert.Equal(name, Errno.Name(errno));
}

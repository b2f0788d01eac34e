using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Kernel.Tests.Host;

public sealed class NodeMemoryTests
{
    [Fact]
    public void The_total_is_read_in_bytes() =>
        Assert.Equal(3_905_412L * 1024,
            NodeMemory.ParseTotal(["MemFree:          900000 kB", "MemTotal:        3905412 kB", "MemTotalX:  1 kB"]));

    [Theory]
    [InlineData("MemFree: 1 kB")]
    [InlineData("MemTotal: much kB")]
    public void Anything_else_is_an_error(string line) => Assert.Throws<FormatException>(() => NodeMemory.ParseTotal([line]));

    [Fact]
    public void This_machine_has_some() => Assert.True(NodeMemory.ReadTotal() > 64L << 20);
}

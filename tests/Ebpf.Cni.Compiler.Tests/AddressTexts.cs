using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Compiler.Tests;

public sealed class AddressTexts
{
    [Theory]
    [InlineData("10.0.0.1", "10.0.0.1")]
    [InlineData("010.000.00.1", "10.0.0.1")]
    [InlineData("::ffff:10.0.0.1", "10.0.0.1")]
    [InlineData("FD00::A", "fd00::a")]
    [InlineData("::", "::")]
    public void Read(string text, string canonical)
    {
        Assert.True(AddrText.TryParse(text, out var address));
        Assert.Equal(canonical, address.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("10.0.0")]
    [InlineData("10.0.0.1.")]
    [InlineData("10.0.0.0001")]
    [InlineData("10.0.0.256")]
    [InlineData(" 10.0.0.1")]
    [InlineData("0x0a.0.0.1")]
    [InlineData("+1.0.0.1")]
    [InlineData("fe80::1%eth0")]
    [InlineData("[::1]")]
    [InlineData("::1/128")]
    [InlineData("1::2::3")]
    [InlineData(":")]
    public void Refused(string text) => Assert.False(AddrText.TryParse(text, out _));

    [Fact]
    public void Any_address_reads_back()
    {
        var random = new Random(Seed.Next());
        for (var i = 0; i < 2000; i++)
        {
            var bytes = new byte[random.Next(2) == 0 ? 4 : 16];
            random.NextBytes(bytes);
            var address = Addr.FromBytes(bytes);
            Assert.True(AddrText.TryParse(new IPAddress(bytes).ToString(), out var read));
            Assert.Equal(address, read);
            Assert.Equal(address, AddrNumber.ToAddr(AddrNumber.Of(address)));
        }
    }

    [Theory]
    [InlineData("10.244.1.0/24", "10.244.1.0/24")]
    [InlineData("10.244.1.77/24", "10.244.1.0/24")]
    [InlineData("0.0.0.0/0", "0.0.0.0/0")]
    [InlineData("10.0.0.1/32", "10.0.0.1/32")]
    [InlineData("fd00:1::77/64", "fd00:1::/64")]
    [InlineData("::/0", "::/0")]
    public void Ranges_read(string text, string canonical)
    {
        Assert.True(PodCidr.TryParse(text, out var cidr));
        Assert.Equal(canonical, cidr.ToString());
        Assert.Equal(IPNetwork.Parse(canonical), cidr.ToIPNetwork());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/ 8")]
    [InlineData("::/129")]
    [InlineData("::ffff:10.0.0.0/104")]
    public void Ranges_refused(string? text) => Assert.False(PodCidr.TryParse(text, out _));

    [Fact]
    public void Overlap_and_containment_agree_with_the_addresses()
    {
        var random = new Random(Seed.Next());
        for (var i = 0; i < 2000; i++)
        {
            var (a, b) = (Range(random), Range(random));
            var contains = a.Contains(b.Network) || b.Contains(a.Network);
            Assert.Equal(contains, a.Overlaps(b));
            Assert.Equal(a.Overlaps(b), b.Overlaps(a));
            Assert.Equal(a.ToIPNetwork().Contains(b.Network.ToIPAddress()), a.Contains(b.Network));
        }
    }

    private static PodCidr Range(Random random) => PodCidr.Parse($"10.{random.Next(2)}.{random.Next(256)}.0/{random.Next(8, 25)}");
}

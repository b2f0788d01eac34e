using System.Collections.Immutable;
using System.Net;
using System.Numerics;

namespace Ebpf.Cni.Sandbox.Api.Admission;

/// <summary>Hands out the addresses of one service CIDR in order, those freed last coming last, so an address rests before reuse.</summary>
internal sealed class AddressAllocator(IPNetwork network)
{
    private BigInteger _next = 1;

    public IPNetwork Network { get; } = network;

    /// <summary>What is given away; setting it back undoes what happened since.</summary>
    public ImmutableHashSet<IPAddress> Taken { get; set; } = [];

    /// <summary>A free address, or null when all are taken. The first (network) address is never given.</summary>
    public IPAddress? Take()
    {
        var bits = Network.BaseAddress.GetAddressBytes().Length * 8;
        var size = BigInteger.Min(BigInteger.One << (bits - Network.PrefixLength), 1 << 24);
        for (BigInteger tried = 0; tried < size; tried++)
        {
            var address = At(_next);
            _next = _next + 1 >= size - 1 ? 1 : _next + 1;
            if (Take(address))
                return address;
        }

        return null;
    }

    public bool Take(IPAddress address)
    {
        var before = Taken;
        Taken = before.Add(address);
        return !ReferenceEquals(before, Taken);
    }

    public void Free(IPAddress address) => Taken = Taken.Remove(address);

    private IPAddress At(BigInteger offset)
    {
        var bytes = Network.BaseAddress.GetAddressBytes();
        var value = new BigInteger(bytes, isUnsigned: true, isBigEndian: true) + offset;
        var result = new byte[bytes.Length];
        var raw = value.ToByteArray(isUnsigned: true, isBigEndian: true);
        raw.CopyTo(result, result.Length - raw.Length);
        return new IPAddress(result);
    }
}

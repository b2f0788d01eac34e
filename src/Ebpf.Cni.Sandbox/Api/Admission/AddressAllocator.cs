using System.Net;
using System.Numerics;

namespace Ebpf.Cni.Sandbox.Api.Admission;

/// <summary>Hands out the addresses of one service CIDR in order, those freed last coming last, so an address rests before reuse.</summary>
internal sealed class AddressAllocator(IPNetwork network)
{
    private readonly HashSet<IPAddress> _taken = [];
    private BigInteger _next = 1;

    public IPNetwork Network { get; } = network;

    /// <summary>A free address, or null when all are taken. The first (network) address is never given.</summary>
    public IPAddress? Take()
    {
        var bits = Network.BaseAddress.GetAddressBytes().Length * 8;
        var size = BigInteger.Min(BigInteger.One << (bits - Network.PrefixLength), 1 << 24);
        for (BigInteger tried = 0; tried < size; tried++)
        {
            var address = At(_next);
            _next = _next + 1 >= size - 1 ? 1 : _next + 1;
            if (_taken.Add(address))
                return address;
        }

        return null;
    }

    public bool Take(IPAddress address) => _taken.Add(address);

    public void Free(IPAddress address) => _taken.Remove(address);

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

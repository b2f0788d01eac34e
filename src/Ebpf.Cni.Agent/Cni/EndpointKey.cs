using System.Security.Cryptography;
using System.Text;

namespace Ebpf.Cni.Agent.Cni;

/// <summary>What the CNI specification identifies an attachment by. All names that the agent gives derive from it.</summary>
public readonly record struct EndpointKey(string ContainerId, string Ifname)
{
    /// <summary>Names of host sides start so.</summary>
    public const string HostPrefix = "ecni";

    private const int HexDigits = 11;

    /// <summary>44 bits of a hash, in hex: the state file's name and the interface's.</summary>
    public string Hash => Digest()[..HexDigits];

    /// <summary>Name of the veth's host side, 15 characters: all that Linux allows.</summary>
    public string HostInterface => HostPrefix + Hash;

    /// <summary>A locally administered unicast address for one side of the veth; the same key gives the same.</summary>
    public byte[] Mac(bool host)
    {
        var mac = Convert.FromHexString(Digest()).AsSpan(host ? 8 : 16, 6).ToArray();
        mac[0] = (byte)((mac[0] & 0xfc) | 0x02);
        return mac;
    }

    public override string ToString() => $"{ContainerId}/{Ifname}";

    private string Digest() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{ContainerId}/{Ifname}")));
}

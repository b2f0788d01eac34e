using System.Security.Cryptography;
using System.Text;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>What the CNI specification identifies an attachment by. All names that the agent gives derive from it.</summary>
public readonly record struct EndpointKey(string ContainerId, string Ifname)
{
    /// <summary>Names of host sides start so.</summary>
    public const string HostPrefix = "ecni";

    private const string AliasStart = "ebpf-cni ";
    private const int HexDigits = 11;

    /// <summary>Of SHA-256.</summary>
    private const int DigestDigits = 64;

    /// <summary>IFALIASZ without the terminator. All that is in it is ASCII.</summary>
    private const int LongestAlias = 255;

    /// <summary>44 bits of a hash, in hex: the state file's name and the interface's.</summary>
    public string Hash => Digest()[..HexDigits];

    /// <summary>Name of the veth's host side, 15 characters: all that Linux allows.</summary>
    public string HostInterface => HostPrefix + Hash;

    /// <summary>A locally administered unicast address for one side of the veth; the same key gives the same.</summary>
    public byte[] Mac(bool host) => MacOf(Digest(), host);

    private static byte[] MacOf(string digest, bool host)
    {
        var mac = Convert.FromHexString(digest).AsSpan(host ? 8 : 16, 6).ToArray();
        mac[0] = (byte)((mac[0] & 0xfc) | 0x02);
        return mac;
    }

    /// <summary>
    /// The alias of the host side: what it is, for people, and the whole digest, by which an interface proves to be ours without a record:
    /// its name follows from it.
    /// </summary>
    /// <param name="pod">namespace/name; may be empty.</param>
    public string Alias(string pod)
    {
        var text = $"{AliasStart}{Digest()} {(pod.Length > 0 ? pod : ContainerId)}";
        return text.Length <= LongestAlias ? text : text[..LongestAlias];
    }

    /// <summary>
    /// An interface of this name and alias was made by <see cref="IPodNetwork.CreateLink"/>, for whatever key. Its MAC address says
    /// nothing: udev may have changed it.
    /// </summary>
    public static bool IsOurs(string name, string alias)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(alias);
        if (!alias.StartsWith(AliasStart, StringComparison.Ordinal))
            return false;
        var digest = alias[AliasStart.Length..].Split(' ')[0];
        return digest.Length == DigestDigits && digest.All(char.IsAsciiHexDigitLower)
            && name == HostPrefix + digest[..HexDigits];
    }

    public override string ToString() => $"{ContainerId}/{Ifname}";

    private string Digest() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{ContainerId}/{Ifname}")));
}

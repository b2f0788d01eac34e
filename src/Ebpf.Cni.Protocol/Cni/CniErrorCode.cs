namespace Ebpf.Cni.Protocol.Cni;

/// <summary>Error codes of the CNI specification (section 5, "Error"); from 100 on they are our own.</summary>
public static class CniErrorCode
{
    /// <summary>The network configuration's cniVersion is not one that we speak, or does not know the command.</summary>
    public const int IncompatibleVersion = 1;
    public const int UnsupportedField = 2;

    /// <summary>The container is not known; the runtime need not undo anything.</summary>
    public const int UnknownContainer = 3;

    /// <summary>CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS or CNI_IFNAME is missing or malformed.</summary>
    public const int InvalidEnvironment = 4;
    public const int IoFailure = 5;

    /// <summary>Standard input, or what a peer sent, is not the JSON it should be.</summary>
    public const int DecodingFailure = 6;
    public const int InvalidNetworkConfig = 7;

    /// <summary>A passing condition: the runtime should repeat the operation.</summary>
    public const int TryAgainLater = 11;

    /// <summary>STATUS: no ADD can be served now.</summary>
    public const int PluginNotAvailable = 50;

    /// <summary>STATUS: ADD cannot be served, and running containers may have limited connectivity.</summary>
    public const int PluginNotAvailableLimited = 51;

    /// <summary>CHECK: the container's network is not what ADD made.</summary>
    public const int CheckFailed = 100;

    /// <summary>ADD, DEL or GC failed on the node (kernel, disk); everything that was begun has been undone.</summary>
    public const int Internal = 101;

    /// <summary>No free address in the node's pod CIDRs.</summary>
    public const int AddressesExhausted = 102;

    /// <summary>An address that was asked for is in use, or in no range of this node's.</summary>
    public const int AddressNotAvailable = 103;
}

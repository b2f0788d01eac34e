namespace Ebpf.Cni.Protocol.Cni;

/// <summary>Versions of the CNI specification, and which commands and members each knows.</summary>
public static class CniVersion
{
    /// <summary>The one named where no other was asked for.</summary>
    public const string Newest = "1.1.0";

    /// <summary>What a configuration without a version means to the reference plugins.</summary>
    public const string Unstated = "0.1.0";

    /// <summary>Oldest first: all that the reference plugins read, and the newest.</summary>
    public static IReadOnlyList<string> Supported { get; } = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", Newest];

    public static bool IsSupported(string version) => Supported.Contains(version);

    /// <summary>A configuration's version; "" stands for one that it does not state.</summary>
    public static string Of(string stated)
    {
        ArgumentNullException.ThrowIfNull(stated);
        return stated.Length == 0 ? Unstated : stated;
    }

    /// <summary>CHECK came with 0.4.0; STATUS and GC with 1.1.0.</summary>
    public static bool Knows(string version, string command) => command switch
    {
        "CHECK" => version is "0.4.0" or "1.0.0" or Newest,
        "STATUS" or "GC" => version == Newest,
        _ => true,
    };

    /// <summary>Results before 0.3.0 have no lists: a member ip4 and a member ip6, and no interfaces.</summary>
    public static bool HasMemberPerFamily(string version) => version is "0.1.0" or "0.2.0";

    /// <summary>Results before 1.0.0 name the family of each address ("version": "4").</summary>
    public static bool NamesFamily(string version) => version is "0.3.0" or "0.3.1" or "0.4.0";

    /// <summary>Results since 1.1.0 have the MTU of interfaces.</summary>
    public static bool HasMtu(string version) => version == Newest;
}

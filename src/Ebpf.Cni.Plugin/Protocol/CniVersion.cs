namespace Ebpf.Cni.Plugin.Protocol;

/// <summary>Versions of the CNI specification, and which commands each knows.</summary>
public static class CniVersion
{
    /// <summary>The one named where no other was asked for.</summary>
    public const string Newest = "1.1.0";

    public static IReadOnlyList<string> Supported { get; } = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];

    public static bool IsSupported(string version) => Supported.Contains(version);

    /// <summary>CHECK came with 0.4.0; STATUS and GC with 1.1.0.</summary>
    public static bool Knows(string version, string command) => command switch
    {
        "CHECK" => version != "0.3.1",
        "STATUS" or "GC" => version == "1.1.0",
        _ => true,
    };

    /// <summary>Results before 1.0.0 name the family of each address ("version": "4").</summary>
    public static bool NamesFamily(string version) => version is "0.3.1" or "0.4.0";

    /// <summary>Results since 1.1.0 tell the MTU of interfaces.</summary>
    public static bool TellsMtu(string version) => version == "1.1.0";
}

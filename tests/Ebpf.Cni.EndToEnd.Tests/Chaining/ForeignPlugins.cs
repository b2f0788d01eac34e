using System.Globalization;
using Ebpf.Cni.Sandbox.Cluster;

namespace Ebpf.Cni.EndToEnd.Tests.Chaining;

/// <summary>The CNI project's own plugins, as Debian's containernetworking-plugins has them.</summary>
internal static class ForeignPlugins
{
    private const string Directory = "/usr/lib/cni";

    private static readonly string[] Names = ["bridge", "ptp", "host-local", "portmap", "bandwidth", "tuning"];

    public static bool AreHere => Names.All(n => File.Exists(Path.Combine(Directory, n)));

    public static void Require() =>
        Assert.SkipUnless(AreHere, $"needs {Directory}/{{{string.Join(',', Names)}}}, of Debian's containernetworking-plugins");

    /// <summary>Puts them beside ours.</summary>
    public static void Install(SandboxNode node)
    {
        foreach (var name in Names)
            File.CreateSymbolicLink(Path.Combine(node.Directories.CniBinaries, name), Path.Combine(Directory, name));
    }

    /// <summary>A network of bridge or ptp with host-local, which gives out the node's podCIDRs.</summary>
    public static string Network(SandboxNode node, string plugin) => string.Create(CultureInfo.InvariantCulture,
        $$$"""
        {"cniVersion":"1.0.0","name":"other","plugins":[
          {"type":"{{{plugin}}}","bridge":"cni0","isGateway":true,"ipMasq":false,
           "ipam":{"type":"host-local","dataDir":"{{{Path.Combine(node.Directories.State, "other")}}}","ranges":[[{"subnet":"{{{node.Addresses.PodsV4}}}"}],[{"subnet":"{{{node.Addresses.PodsV6}}}"}]],
                   "routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}}]}
        """);
}

using System.Diagnostics;
using System.Globalization;

namespace Ebpf.Cni.Benchmarks.Rivals;

/// <summary>
/// Two nodes without us, on one bridge as the sandbox's are, with routed pods: on the first a server and a client, on the second a client.
/// Between the nodes either plain routes, or the kernel's own VXLAN with everything known beforehand, as flannel sets it up: no learning,
/// permanent neighbours and forwarding entries.
/// </summary>
internal sealed class PlainPair : IDisposable
{
    public const string Server = "10.244.1.2";
    public const int Port = 7000;

    private const int UplinkMtu = 1500, VxlanOverhead = 50;
    private static readonly string[] Parts = ["fabric", "a", "b", "server", "near", "far"];
    private readonly string _name;
    private readonly List<Process> _processes = [];

    private PlainPair(string name) => _name = name;

    /// <summary>Of the client beside the server, and of the one on the other node.</summary>
    public (string Near, string Far) MeterSockets => (Socket("near"), Socket("far"));

    public static PlainPair Start(string name, bool vxlan)
    {
        var pair = new PlainPair(name);
        try
        {
            pair.Build(vxlan);
            pair._processes.Add(PlainPod.Spawn(pair.Namespace("server"), "server", Port.ToString(CultureInfo.InvariantCulture)));
            foreach (var client in new[] { "near", "far" })
                pair._processes.Add(PlainPod.Spawn(pair.Namespace(client), "meter", pair.Socket(client)));
            return pair;
        }
        catch
        {
            pair.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }
        foreach (var part in Parts)
            PlainPod.Ip(check: false, "netns", "del", Namespace(part));
        foreach (var client in new[] { "near", "far" })
            File.Delete(Socket(client));
    }

    private void Build(bool vxlan)
    {
        foreach (var part in Parts)
        {
            PlainPod.Ip(check: true, "netns", "add", Namespace(part));
            PlainPod.Ip(check: true, "-n", Namespace(part), "link", "set", "lo", "up");
        }
        Ip("fabric", "link add fabric type bridge");
        Ip("fabric", "link set fabric up");
        foreach (var (node, number) in new[] { ("a", 1), ("b", 2) })
        {
            PlainPod.Ip(check: true, "netns", "exec", Namespace(node), "sysctl", "-qw", "net.ipv4.ip_forward=1");
            Ip("fabric", $"link add port-{node} type veth peer name eth0 netns {Namespace(node)}");
            Ip("fabric", $"link set port-{node} master fabric up");
            Ip(node, $"addr add 172.30.0.1{number}/24 dev eth0");
            Ip(node, "link set eth0 up");
            var other = 3 - number;
            if (!vxlan)
            {
                Ip(node, $"route add 10.244.{other}.0/24 via 172.30.0.1{other}");
                continue;
            }
            Ip(node, $"link add vx address 02:00:00:00:01:0{number} mtu {UplinkMtu - VxlanOverhead} type vxlan id 1 dstport 8472 local "
                + $"172.30.0.1{number} dev eth0 nolearning");
            Ip(node, $"addr add 10.244.{number}.0/32 dev vx");
            Ip(node, "link set vx up");
            Ip(node, $"neigh add 10.244.{other}.0 lladdr 02:00:00:00:01:0{other} dev vx nud permanent");
            PlainPod.Ip(check: true, "netns", "exec", Namespace(node), "bridge", "fdb", "append", $"02:00:00:00:01:0{other}", "dev", "vx",
                "dst", $"172.30.0.1{other}");
            Ip(node, $"route add 10.244.{other}.0/24 via 10.244.{other}.0 dev vx onlink");
        }
        var mtu = vxlan ? UplinkMtu - VxlanOverhead : UplinkMtu;
        PlainPod.Connect(Namespace("a"), Namespace("server"), "server", Server, "02:00:00:00:00:01", mtu);
        PlainPod.Connect(Namespace("a"), Namespace("near"), "near", "10.244.1.3", "02:00:00:00:00:02", mtu);
        PlainPod.Connect(Namespace("b"), Namespace("far"), "far", "10.244.2.2", "02:00:00:00:00:03", mtu);
    }

    private void Ip(string part, string arguments) => PlainPod.Ip(check: true, ["-n", Namespace(part), .. arguments.Split(' ')]);

    private string Namespace(string part) => $"ecni-bench-{_name}-{part}";

    private string Socket(string client) => Path.Combine(Path.GetTempPath(), $"ecni-bench-{_name}-{client}.sock");
}

using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>Two pods of a real node that has addresses of its own, and what each needs to know to misbehave.</summary>
internal sealed class Pair : IDisposable
{
    public const string Node4 = "192.0.2.1", Node6 = "2001:db8::1";

    private readonly Dictionary<Pod, Socket> _senders = [];

    private Pair(RealNode node, Pod a, Pod b) => (Node, A, B) = (node, a, b);

    public RealNode Node { get; }
    public Pod A { get; }
    public Pod B { get; }

    /// <param name="prepare">Runs in the node's namespace, and in each pod's before its ADD.</param>
    public static async Task<Pair> Make(Action? prepare = null)
    {
        Requires.Root();
        var node = new RealNode();
        try
        {
            node.Namespace.Run(() =>
            {
                using var netlink = RouteNetlink.Open();
                netlink.SetUp(netlink.AddVeth("up0", "up1").Index);
                netlink.SetUp(netlink.FindLink("up1")!.Index);
                netlink.AddAddress(netlink.FindLink("up0")!.Index, IPAddress.Parse(Node4), 24);
                netlink.AddAddress(netlink.FindLink("up0")!.Index, IPAddress.Parse(Node6), 64);
                prepare?.Invoke();
            });
            return new Pair(node, await Pod.Add(node, "a", prepare), await Pod.Add(node, "b", prepare));
        }
        catch
        {
            node.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Sends each frame from the first pod, and after each one that is allowed: that one arrives at the other pod, and the frame did not.
    /// </summary>
    public async Task Silent(Pod listener, Action<string> tell, Dictionary<string, byte[]> frames)
    {
        using var heard = listener.Namespace.Run(() => FrameSocket.Open(listener.Ifindex));
        foreach (var (what, frame) in frames)
        {
            Send(A, frame);
            var control = Guid.NewGuid().ToByteArray();
            Send(A, Frames.Udp(A.Mac, A.HostMac, A.V4, listener.V4, control));
            var mark = frame[^16..];
            var (buffer, arrived, between) = (new byte[2048], false, 0);
            while (!arrived)
            {
                var length = await heard.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(10));
                arrived = buffer.AsSpan(0, length).IndexOf(control) >= 0;
                Assert.True(buffer.AsSpan(0, length).IndexOf(mark) < 0, $"{what}: arrived");
                between++;
            }

            tell($"{what}: not among {between - 1} frames before the one that may arrive");
        }
    }

    public void Send(Pod pod, byte[] frame)
    {
        if (!_senders.TryGetValue(pod, out var sender))
            _senders.Add(pod, sender = pod.Namespace.Run(() => FrameSocket.Open(pod.Ifindex)));
        Assert.Equal(frame.Length, sender.Send(frame));
    }

    /// <summary>Those that do not age, on pods' devices: "address is at MAC".</summary>
    public static List<string> Neighbours(NetworkNamespace where)
    {
        using var netlink = RouteNetlink.Open(where);
        return
        [
            .. netlink.Neighbours().Where(n => !n.Address.IsIPv6Multicast && (n.Permanent || !n.Address.IsIPv6LinkLocal))
                .Select(n => $"{n.Address} is at {Convert.ToHexString(n.Mac ?? [])} on {n.Ifindex}").Order(StringComparer.Ordinal),
        ];
    }

    public static string Talk(NetworkNamespace from, NetworkNamespace to, IPAddress address)
    {
        using var listener = to.Run(() =>
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, 0));
            socket.Listen();
            return socket;
        });
        using var client = from.Run(() =>
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { SendTimeout = 5000 };
            socket.Connect(listener.LocalEndPoint!);
            return socket;
        });
        using var server = listener.Accept();
        server.ReceiveTimeout = 5000;
        client.Send("hello"u8);
        var buffer = new byte[10];
        return System.Text.Encoding.ASCII.GetString(buffer, 0, server.Receive(buffer));
    }

    public void Dispose()
    {
        foreach (var sender in _senders.Values)
            sender.Dispose();
        Node.Dispose();
    }

    /// <summary>A pod as it came out of its ADD.</summary>
    internal sealed record Pod(NetworkNamespace Namespace, int Ifindex, string V4, string V6, string LinkLocal, string HostLinkLocal,
        byte[] Mac, byte[] HostMac)
    {
        public static async Task<Pod> Add(RealNode node, string name, Action? prepare = null)
        {
            var ns = node.Pod(name);
            if (prepare is not null)
                ns.Run(prepare);
            await node.Run("ADD", name);
            var record = node.Store.Find(new EndpointKey(name, "eth0"))!;
            using var inside = RouteNetlink.Open(ns);
            using var outside = RouteNetlink.Open(node.Namespace);
            var (eth, host) = (inside.FindLink("eth0")!, outside.FindLink(record.Key.HostInterface)!);
            return new Pod(
                ns, eth.Index, record.Addresses[0], record.Addresses[1], LinkLocalOf(inside, eth), LinkLocalOf(outside, host), eth.Mac,
                host.Mac);
        }

        public bool Equals(Pod? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => Ifindex;

        private static string LinkLocalOf(RouteNetlink netlink, LinkInfo link) =>
            netlink.Addresses(link.Index).FirstOrDefault(a => a.Address.IsIPv6LinkLocal)?.Address.ToString().Split('%')[0] ?? "fe80::2";
    }
}

using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures.Measured;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Former;

/// <summary>The objects beside this file, unpacked, and the layouts of their time.</summary>
internal sealed class FormerLayout : ITcLayout, IDisposable
{
    private readonly DirectoryInfo _unpacked = System.IO.Directory.CreateTempSubdirectory("ebc-former-");

    public FormerLayout()
    {
        var here = Path.Combine(Repository.Root, "tests", "Ebpf.Cni.Benchmarks", "Former");
        foreach (var packed in System.IO.Directory.GetFiles(here, "*.gz"))
        {
            using var from = new GZipStream(File.OpenRead(packed), CompressionMode.Decompress);
            using var to = File.Create(Path.Combine(Directory, Path.GetFileNameWithoutExtension(packed)));
            from.CopyTo(to);
        }
    }

    public string Directory => _unpacked.FullName;

    public IReadOnlyList<string> Connections { get; } = ["ebc_ct_v2"];

    public void Configure(BpfObject opened, ConfigFlags flags) => opened.SetReadOnlyGlobal("ebc_config", new FormerConfig(
        flags, 32768, 65535, 0,
        new FormerTimeouts(120, 60, 86400, 120, 3600, 30, 120, 10, 30, 120, 10, 210, 10, 30)));

    public void SetNode(TcObjects objects, NodeEnd node)
    {
        objects.Table("ebc_uplink_v1").Update(0u, new FormerUplink(Addr.Parse(node.V4), Addr.Parse(node.V6)));
        var overlay = new FormerOverlay((uint)node.Tunnel, NodeEnd.Vni, (uint)node.Mtu, U16Be.FromHost(NodeEnd.Port), 0);
        objects.Table("ebc_overlay_v1").Update(0u, node.Tunnel == 0 ? default : overlay);
    }

    public int Forget(BpfMap connections) =>
        connections.DeleteBatch<FormerKey>([.. connections.ReadAll<FormerKey, FormerConnection>().Select(pair => pair.Key)]);

    public void Dispose() => _unpacked.Delete(recursive: true);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct FormerTimeouts(
        uint SynSent, uint SynRecv, uint Established, uint FinWait, uint CloseWait, uint LastAck, uint TimeWait, uint Close,
        uint Udp, uint UdpStream, uint SctpOpening, uint SctpEstablished, uint SctpClosing, uint Icmp);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct FormerConfig(
        ConfigFlags Flags, ushort SnatPortMin, ushort SnatPortMax, ulong HostNetnsCookie, FormerTimeouts Timeouts);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct FormerUplink(Addr V4, Addr V6);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct FormerOverlay(uint Ifindex, uint Vni, uint Mtu, U16Be Port, ushort Pad0);

    [InlineArray(40)]
    private struct FormerKey
    {
        private byte _first;
    }

    [InlineArray(80)]
    private struct FormerConnection
    {
        private byte _first;
    }
}

using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Observe;

/// <summary>The socket's file: whose it is, from when on, and what becomes of a predecessor's.</summary>
public sealed class ObserveSocketTests : IDisposable
{
    private const UnixFileMode OwnersFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TemporaryDirectory _directory = new();

    private string SocketPath => Path.Combine(_directory["run"], "observe.sock");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Only_its_owner_may_use_it_and_nobody_before_it_is_so()
    {
        using var socket = ObserveSocket.Bind(new UnixDomainSocketEndPoint(SocketPath));
        Assert.Equal((OwnersFile, AgentLock.OwnerOnly), (File.GetUnixFileMode(SocketPath), File.GetUnixFileMode(_directory["run"])));
        // Not listening yet: whatever its mode was before, nobody was let in.
        await Assert.ThrowsAsync<SocketException>(ConnectAsync);
        socket.Listen();
        await ConnectAsync();
        Assert.Equal(["observe.sock"], Directory.GetFileSystemEntries(_directory["run"]).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_predecessors_socket_is_replaced_also_one_that_died_half_way()
    {
        Directory.CreateDirectory(_directory["run"]);
        File.WriteAllText(SocketPath, "left behind");
        File.WriteAllText(Path.ChangeExtension(SocketPath, ".new"), "left behind too");
        using (var first = ObserveSocket.Bind(new UnixDomainSocketEndPoint(SocketPath)))
            first.Listen();
        using var second = ObserveSocket.Bind(new UnixDomainSocketEndPoint(SocketPath));
        second.Listen();
        await ConnectAsync();
    }

    [Fact]
    public void Other_addresses_are_Kestrels_own_affair()
    {
        using var socket = ObserveSocket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Assert.Equal(AddressFamily.InterNetwork, socket.AddressFamily);
    }

    [Fact]
    public void A_run_directory_that_the_agent_makes_is_its_owners()
    {
        using var held = AgentLock.TryTake(_directory["run"], AgentLock.RunName);
        Assert.NotNull(held);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_directory["run"]));
    }

    private async Task ConnectAsync()
    {
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath));
    }
}

using System.Net.Sockets;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>Bulk data over a connection, compared byte for byte.</summary>
internal static class Transfers
{
    public static void BothWays(Socket one, Socket other, int size)
    {
        var bytes = new byte[size];
        Random.Shared.NextBytes(bytes);
        foreach (var (from, to) in new[] { (one, other), (other, one) })
        {
            var sender = new Thread(() => from.Send(bytes));
            sender.Start();
            var got = new byte[size];
            for (var at = 0; at < size;)
            {
                var read = to.Receive(got.AsSpan(at));
                Assert.True(read > 0, "the connection ended early");
                at += read;
            }
            sender.Join();
            Assert.True(bytes.AsSpan().SequenceEqual(got), "the data arrived changed");
        }
    }
}

using System.Globalization;
using System.Net.Sockets;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>The other side of <see cref="Meter"/>.</summary>
internal sealed class MeterConnection : IDisposable
{
    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;
    private readonly StreamWriter _writer;

    private MeterConnection(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new StreamReader(_stream);
        _writer = new StreamWriter(_stream) { AutoFlush = true };
    }

    /// <summary>Waits until the meter listens.</summary>
    public static async Task<MeterConnection> OpenAsync(string path)
    {
        Socket? connected = null;
        await Testing.Eventually.True(() => (connected = TryConnect(path)) is not null, $"a meter at {path}");
        return new MeterConnection(connected!);
    }

    private static Socket? TryConnect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    /// <summary>Connections per second, one after the other.</summary>
    /// <exception cref="InvalidOperationException">A connection failed.</exception>
    public double Measure(string protocol, string target, int count)
    {
        _writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{protocol} {target} {count}"));
        var words = (_reader.ReadLine() ?? throw new IOException("the meter has ended")).Split(' ');
        if (words[1] != "0")
            throw new InvalidOperationException($"{words[1]} of {count} {protocol} exchanges with {target} failed");
        return count / (double.Parse(words[0], CultureInfo.InvariantCulture) / 1e9);
    }

    public void Dispose()
    {
        _writer.Dispose();
        _reader.Dispose();
        _stream.Dispose();
    }
}

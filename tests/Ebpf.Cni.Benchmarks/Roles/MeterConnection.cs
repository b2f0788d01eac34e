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
        var (nanoseconds, failures) = Ask(protocol, target, count);
        if (failures > 0)
            throw new InvalidOperationException($"{failures} of {count} {protocol} connections to {target} failed");
        return count / (nanoseconds / 1e9);
    }

    /// <summary>A connection can be made within this time.</summary>
    public bool Reaches(string target, int milliseconds) => Ask("reach", target, milliseconds).Result == 1;

    /// <summary>Microseconds for one request and its response, on an open connection.</summary>
    public double Latency(string target, int count) => Ask("rr", target, count).Nanoseconds / 1e3 / count;

    /// <summary>Gigabits a second of one TCP stream.</summary>
    public double Throughput(string target, int milliseconds)
    {
        var (nanoseconds, bytes) = Ask("stream", target, milliseconds);
        return bytes * 8 / nanoseconds;
    }

    public void Dispose()
    {
        _writer.Dispose();
        _reader.Dispose();
        _stream.Dispose();
    }

    private (double Nanoseconds, long Result) Ask(string what, string target, int amount)
    {
        _writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what} {target} {amount}"));
        var words = (_reader.ReadLine() ?? throw new InvalidOperationException("the meter is gone: it could not reach " + target))
            .Split(' ');
        return (double.Parse(words[0], CultureInfo.InvariantCulture), long.Parse(words[1], CultureInfo.InvariantCulture));
    }
}

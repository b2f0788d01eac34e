using System.Net.Sockets;
using System.Text.Json;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin;

/// <summary>
/// One exchange with the agent: a JSON object in each direction over its unix socket, ended by each writer closing its half.
/// </summary>
public sealed class AgentClient(string socketPath, TimeSpan limit)
{
    /// <summary>An answer is a CNI result: a few hundred bytes. More than this is no answer of ours.</summary>
    public const int AnswerMax = 1 << 20;

    private readonly long _deadline = Environment.TickCount64 + (long)limit.TotalMilliseconds;

    /// <summary>Sends the request and returns the raw answer.</summary>
    /// <exception cref="CniException">
    /// Code 11: the agent cannot be reached or does not answer in time. Code 5: the connection broke. Code 6: the answer is too long.
    /// <see cref="CniException.AgentGone"/> where no agent processes the request any more.
    /// </exception>
    public byte[] Exchange(PluginEnvironment environment, ReadOnlySpan<byte> config)
    {
        ArgumentNullException.ThrowIfNull(environment);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.SendTimeout = Remaining();
            socket.Connect(new UnixDomainSocketEndPoint(socketPath));
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            throw new CniException(CniErrorCode.TryAgainLater, $"the ebpf-cni agent is not reachable at {socketPath}", Unreachable(e), e)
            {
                AgentGone = true,
            };
        }

        try
        {
            Send(socket, Request(environment, config));
            socket.Shutdown(SocketShutdown.Send);
            return Receive(socket);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            throw TimedOut(e);
        }
        catch (SocketException e)
        {
            throw new CniException(CniErrorCode.IoFailure, $"the connection to the ebpf-cni agent at {socketPath} broke", Reason(e), e)
            {
                AgentGone = true,
            };
        }
    }

    private static byte[] Request(PluginEnvironment environment, ReadOnlySpan<byte> config)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("command"u8, environment.Command);
            writer.WriteString("containerId"u8, environment.ContainerId);
            writer.WriteString("netns"u8, environment.Netns);
            writer.WriteString("ifname"u8, environment.Ifname);
            writer.WriteString("args"u8, environment.Args);
            writer.WriteString("path"u8, environment.Path);
            writer.WritePropertyName("config"u8);
            writer.WriteRawValue(config, skipInputValidation: true);
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private void Send(Socket socket, ReadOnlySpan<byte> request)
    {
        while (request.Length > 0)
        {
            socket.SendTimeout = Remaining();
            request = request[socket.Send(request)..];
        }
    }

    private byte[] Receive(Socket socket)
    {
        var buffer = new byte[4096];
        var length = 0;
        while (true)
        {
            socket.ReceiveTimeout = Remaining();
            var read = socket.Receive(buffer.AsSpan(length));
            if (read == 0)
                return buffer[..length];
            length += read;
            if (length > AnswerMax)
                throw new CniException(CniErrorCode.DecodingFailure, "the ebpf-cni agent's answer is too long");
            if (length == buffer.Length)
                Array.Resize(ref buffer, buffer.Length * 2);
        }
    }

    private int Remaining()
    {
        var left = _deadline - Environment.TickCount64;
        return left > 0 ? (int)left : throw TimedOut(null);
    }

    private CniException TimedOut(Exception? inner) => new(
        CniErrorCode.TryAgainLater, $"the ebpf-cni agent at {socketPath} did not answer in time", $"limit {limit.TotalSeconds:0} s", inner);

    private string Unreachable(Exception e) =>
        e is ArgumentException ? "the path is too long for a socket"
        : !Path.Exists(socketPath) ? "there is no such socket: is the agent running?"
        : $"connection failed ({Reason(e)}): is the agent running?";

    private static string Reason(Exception e) => e is SocketException s ? s.SocketErrorCode.ToString() : e.Message;
}

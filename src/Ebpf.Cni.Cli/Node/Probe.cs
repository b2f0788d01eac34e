using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Node;

/// <summary>Resolves a name and opens a TCP connection: for images without a shell.</summary>
internal static class Probe
{
    public static async Task<int> RunAsync(
        string target, TimeSpan timeout, bool json, Terminal terminal, TimeProvider time, CancellationToken cancel)
    {
        var answer = await ProbeAsync(target, timeout, time, cancel).ConfigureAwait(false);
        var text = json ? JsonSerializer.Serialize(answer, ObserveJson.Wire.ProbeAnswer) : Text(answer);
        await (json || answer.Error is null ? terminal.Out : terminal.Error).WriteLineAsync(text).ConfigureAwait(false);
        return answer.Error is null ? ExitCodes.Good : ExitCodes.Failed;
    }

    private static string Text(ProbeAnswer answer) => answer.Error is null
        ? string.Create(CultureInfo.InvariantCulture, $"{answer.Target}: connected to {answer.Address} in {answer.Milliseconds:0.0} ms")
        : string.Create(CultureInfo.InvariantCulture, $"ecni: {answer.Target}: {answer.Error} ({answer.Milliseconds:0} ms)");

    private static async Task<ProbeAnswer> ProbeAsync(string target, TimeSpan timeout, TimeProvider time, CancellationToken cancel)
    {
        var (host, port) = ProbeTarget.Parse(target);
        var started = time.GetTimestamp();
        using var patience = new CancellationTokenSource(timeout, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancel);
        var answer = new ProbeAnswer { Target = target };
        var step = $"the name {host} was not resolved within {timeout.TotalSeconds:0.###} s";
        try
        {
            foreach (var address in await Dns.GetHostAddressesAsync(host, limit.Token).WaitAsync(limit.Token).ConfigureAwait(false))
            {
                var end = new IPEndPoint(address, port);
                step = $"{end} did not answer within {timeout.TotalSeconds:0.###} s";
                if (await TryAsync(end, limit.Token).ConfigureAwait(false) is not { } error)
                    return answer with { Address = end.ToString(), Milliseconds = Elapsed(), Error = null };
                answer = answer with { Error = end.ToString() == target ? error : $"{end}: {error}" };
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            answer = answer with { Error = step };
        }
        catch (SocketException e)
        {
            answer = answer with { Error = $"the name {host} cannot be resolved ({e.SocketErrorCode})" };
        }

        return answer with { Error = answer.Error ?? $"the name {host} has no address", Milliseconds = Elapsed() };

        double Elapsed() => Math.Round(time.GetElapsedTime(started).TotalMilliseconds, 2);
    }

    private static async Task<string?> TryAsync(IPEndPoint end, CancellationToken cancel)
    {
        using var socket = new Socket(end.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(end, cancel).ConfigureAwait(false);
            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode switch
            {
                SocketError.ConnectionRefused => "connection refused",
                SocketError.NetworkUnreachable => "network unreachable",
                SocketError.HostUnreachable => "host unreachable",
                SocketError.TimedOut => "timed out",
                var other => other.ToString(),
            };
        }
    }
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli;

/// <summary>Resolves a name and opens a TCP connection: for images without a shell.</summary>
internal static class Probe
{
    /// <summary>host:port or [IPv6 address]:port; the brackets may be left out, as in $(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT), since a port there must be.</summary>
    /// <exception cref="CliException">It is neither.</exception>
    public static (string Host, int Port) Split(string target)
    {
        var at = target.LastIndexOf(':');
        var host = at > 0 ? target[..at] : "";
        if (host.StartsWith('[') && host.EndsWith(']'))
            host = host[1..^1];
        else if (host.Contains(':', StringComparison.Ordinal) && !IPAddress.TryParse(host, out _))
            throw CliException.Usage($"probe: '{target}' is not HOST:PORT");
        return host.Length > 0 && int.TryParse(target[(at + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535
            ? (host, port)
            : throw CliException.Usage($"probe: '{target}' is not HOST:PORT");
    }

    public static async Task<int> RunAsync(CommandLine line, Terminal terminal, TimeProvider time)
    {
        var answer = await ProbeAsync(line.Subject, line.Timeout, time).ConfigureAwait(false);
        if (line.Json)
            await terminal.Out.WriteAsync(JsonSerializer.Serialize(answer, ObserveJson.Wire.ProbeAnswer) + "\n").ConfigureAwait(false);
        else if (answer.Error is null)
            await terminal.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{answer.Target}: connected to {answer.Address} in {answer.Milliseconds:0.0} ms")).ConfigureAwait(false);
        else
            await terminal.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"ecni: {answer.Target}: {answer.Error} ({answer.Milliseconds:0} ms)")).ConfigureAwait(false);
        return answer.Error is null ? ExitCodes.Good : ExitCodes.Failed;
    }

    private static async Task<ProbeAnswer> ProbeAsync(string target, TimeSpan timeout, TimeProvider time)
    {
        var (host, port) = Split(target);
        var started = time.GetTimestamp();
        using var limit = new CancellationTokenSource(timeout, time);
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
        catch (OperationCanceledException)
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

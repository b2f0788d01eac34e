using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Sandbox.Api.Streaming;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

/// <summary>Pods whose programs and ports are this machine's: needs no root.</summary>
internal sealed class LocalStreams : IPodStreams
{
    public Task<Func<IPodProcess>> ExecAsync(JsonObject pod, ExecRequest request, CancellationToken ct) =>
        Task.FromResult<Func<IPodProcess>>(() => Start(request));

    public async Task<Stream> ConnectAsync(JsonObject pod, int port, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException($"failed to connect to localhost:{port}", e);
        }
    }

    private static LocalProcess Start(ExecRequest request)
    {
        var terminal = request.Terminal ? PseudoTerminal.Open() : null;
        string[] prologue = terminal is null ? [] : ["sh", "-c", $"exec setsid --ctty \"$@\" <{terminal.Path} >{terminal.Path} 2>&1", "sh"];
        string[] command = [.. prologue, .. request.Command];
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = terminal is null,
            RedirectStandardOutput = terminal is null,
            RedirectStandardError = terminal is null,
        })!;
        return new LocalProcess(process, terminal);
    }

    private sealed class LocalProcess(Process process, PseudoTerminal? terminal) : IPodProcess
    {
        public Stream Input => terminal?.Stream ?? process.StandardInput.BaseStream;

        public Stream Output => terminal?.Stream ?? process.StandardOutput.BaseStream;

        public Stream? Errors => terminal is null ? process.StandardError.BaseStream : null;

        public void Resize(ushort columns, ushort rows) => terminal?.Resize(columns, rows);

        public async Task<int> WaitAsync(CancellationToken ct)
        {
            await process.WaitForExitAsync(ct);
            return process.ExitCode;
        }

        public ValueTask DisposeAsync()
        {
            process.Kill(entireProcessTree: true);
            process.Dispose();
            terminal?.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

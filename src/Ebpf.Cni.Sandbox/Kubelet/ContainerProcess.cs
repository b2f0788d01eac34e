using System.Diagnostics;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>A command beside a container's own process, on pipes or on a terminal.</summary>
internal sealed class ContainerProcess : IPodProcess
{
    private readonly Process _process;
    private readonly PseudoTerminal? _terminal;

    private ContainerProcess(Process process, PseudoTerminal? terminal) => (_process, _terminal) = (process, terminal);

    public Stream Input => _terminal?.Stream ?? _process.StandardInput.BaseStream;

    public Stream Output => _terminal?.Stream ?? _process.StandardOutput.BaseStream;

    public Stream? Errors => _terminal is null ? _process.StandardError.BaseStream : null;

    public static ContainerProcess Start(ProcessPlan plan, bool terminal)
    {
        if (!terminal)
            return new ContainerProcess(NodeProcess.Start(plan with { Pipes = true }), null);
        var made = PseudoTerminal.Open();
        try
        {
            return new ContainerProcess(NodeProcess.Start(plan with { Terminal = made.Path }), made);
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    public void Resize(ushort columns, ushort rows) => _terminal?.Resize(columns, rows);

    public async Task<int> WaitAsync(CancellationToken ct)
    {
        await _process.WaitForExitAsync(ct);
        return _process.ExitCode;
    }

    public ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        _process.Dispose();
        _terminal?.Dispose();
        return ValueTask.CompletedTask;
    }
}

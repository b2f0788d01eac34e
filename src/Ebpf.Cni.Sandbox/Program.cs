using Ebpf.Cni.Kernel;
using Ebpf.Cni.Sandbox.Cli;
using Ebpf.Cni.Sandbox.Client;

try
{
    // after Ctrl-C or SIGTERM there is much to remove: more than the library's own two seconds
    return await Commands.Create().Parse(args)
        .InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
}
catch (Exception e) when (e is InvalidOperationException or ArgumentException or FormatException or TimeoutException or KernelException
    or ApiStatusException or HttpRequestException or IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync("ebpf-cni-sandbox: " + e.Message);
    return 1;
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("ebpf-cni-sandbox: interrupted");
    return 130;
}

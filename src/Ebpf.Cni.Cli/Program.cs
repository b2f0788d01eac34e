using Ebpf.Cni.Cli;
using Ebpf.Cni.Cli.Reporting;

var terminal = new Terminal(
    Console.Out, Console.Error, Console.IsOutputRedirected ? Terminal.WidthDefault : Math.Max(Console.WindowWidth, Terminal.WidthLeast));
return await CliRun.ExecuteAsync(Environment.GetCommandLineArgs()[0], args, Environment.GetEnvironmentVariable, terminal);

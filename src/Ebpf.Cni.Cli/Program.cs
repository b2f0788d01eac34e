using Ebpf.Cni.Cli;

var terminal = new Terminal(Console.Out, Console.Error, Console.IsOutputRedirected ? Terminal.WidthDefault : Math.Max(Console.WindowWidth, Terminal.WidthLeast));
return await CliRun.ExecuteAsync(args, Environment.GetEnvironmentVariable, terminal);

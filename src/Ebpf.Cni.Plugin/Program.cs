using Ebpf.Cni.Plugin;

using var input = Console.OpenStandardInput();
using var output = Console.OpenStandardOutput();
return PluginRun.Execute(Environment.GetEnvironmentVariable, input, output);

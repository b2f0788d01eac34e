using System.Text;
using System.Text.Json;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>The outcome of one run: the exit code and the one JSON document (a second one would not parse).</summary>
internal sealed record Outcome(int ExitCode, JsonElement Document)
{
    public int Code => Document.GetProperty("code").GetInt32();

    public string Message => Document.GetProperty("msg").GetString()!;
}

/// <summary>Runs the plugin in this process, as the executable does.</summary>
internal static class PluginProcess
{
    public static Dictionary<string, string> Environment(string command) => new()
    {
        ["CNI_COMMAND"] = command,
        ["CNI_CONTAINERID"] = "c0ffee-1",
        ["CNI_NETNS"] = "/var/run/netns/test",
        ["CNI_IFNAME"] = "eth0",
        ["CNI_ARGS"] = "K8S_POD_NAME=web",
        ["CNI_PATH"] = "/opt/cni/bin",
    };

    /// <summary>Where nothing is ever: no agent of this machine is asked by a test.</summary>
    public const string Nowhere = "/nonexistent/cni.sock";

    public static Outcome Run(
        Dictionary<string, string> environment, string input, string usualSocket = Nowhere, TimeProvider? time = null) =>
        Run(environment, Encoding.UTF8.GetBytes(input), usualSocket, time);

    public static Outcome Run(Dictionary<string, string> environment, byte[] input, string usualSocket = Nowhere, TimeProvider? time = null)
    {
        using var output = new MemoryStream();
        var exitCode = PluginRun.Execute(environment.GetValueOrDefault, new MemoryStream(input), output, usualSocket, time);
        return new Outcome(exitCode, JsonDocument.Parse(output.ToArray()).RootElement);
    }
}

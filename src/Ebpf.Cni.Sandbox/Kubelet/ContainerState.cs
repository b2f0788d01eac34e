using System.Text.Json.Nodes;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>Where a container is in its life, as containerStatuses show it.</summary>
internal abstract record ContainerState
{
    public sealed record Waiting(string Reason, string Message = "") : ContainerState;

    public sealed record Running(string Since) : ContainerState;

    public sealed record Terminated(int ExitCode, string Since, string Until) : ContainerState;

    public JsonObject ToJson() => this switch
    {
        Waiting waiting => new JsonObject { ["waiting"] = new JsonObject { ["reason"] = waiting.Reason, ["message"] = waiting.Message } },
        Running running => new JsonObject { ["running"] = new JsonObject { ["startedAt"] = running.Since } },
        Terminated ended => new JsonObject
        {
            ["terminated"] = new JsonObject
            {
                ["exitCode"] = ended.ExitCode,
                ["reason"] = ended.ExitCode == 0 ? "Completed" : "Error",
                ["startedAt"] = ended.Since,
                ["finishedAt"] = ended.Until,
            },
        },
        _ => throw new InvalidOperationException($"no container state {this}"),
    };
}

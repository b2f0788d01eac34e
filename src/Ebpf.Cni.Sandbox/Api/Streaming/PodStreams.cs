using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Streaming;

/// <summary>What the API has kubelets do with a running pod: commands in its containers, connections to its ports.</summary>
public interface IPodStreams
{
    /// <summary>Prepares a command; what is returned starts it, once.</summary>
    /// <exception cref="ApiException">The pod does not run, or has no such container; also from the start, where that fails.</exception>
    Task<Func<IPodProcess>> ExecAsync(JsonObject pod, ExecRequest request, CancellationToken ct);

    /// <summary>A connection to a TCP port on the loopback of the pod's network namespace.</summary>
    /// <exception cref="IOException">Nothing listens there; the message says so.</exception>
    Task<Stream> ConnectAsync(JsonObject pod, int port, CancellationToken ct);
}

/// <summary>A command that runs in a container. Disposing kills what is left of it.</summary>
public interface IPodProcess : IAsyncDisposable
{
    /// <summary>Closed to tell the command that its input ends.</summary>
    Stream Input { get; }

    /// <summary>Both outputs where the command has a terminal.</summary>
    Stream Output { get; }

    /// <summary>Null where the command has a terminal.</summary>
    Stream? Errors { get; }

    /// <summary>Sets the terminal's size, in characters.</summary>
    void Resize(ushort columns, ushort rows);

    /// <summary>The exit code.</summary>
    Task<int> WaitAsync(CancellationToken ct);
}

/// <summary>What kubectl exec asks for.</summary>
public sealed record ExecRequest(string Container, IReadOnlyList<string> Command, bool Input, bool Terminal)
{
    /// <exception cref="ApiException">400: no command, or no such container.</exception>
    internal static ExecRequest From(HttpRequest request, JsonObject pod)
    {
        var command = request.Query["command"].OfType<string>().ToList();
        return command.Count == 0
            ? throw ApiException.BadRequest("you must specify at least one command for the container")
            : new ExecRequest(ContainerNames.Choose(request, pod), command, Flag("stdin"), Flag("tty"));

        bool Flag(string name) => request.Query[name].ToString() is "true" or "1";
    }
}

/// <summary>An API without kubelets runs nothing.</summary>
internal sealed class NoPodStreams : IPodStreams
{
    public Task<Func<IPodProcess>> ExecAsync(JsonObject pod, ExecRequest request, CancellationToken ct) => throw NoNode(pod);

    public Task<Stream> ConnectAsync(JsonObject pod, int port, CancellationToken ct) => throw NoNode(pod);

    private static ApiException NoNode(JsonObject pod) => ApiException.BadRequest($"pod {pod.Name()} does not run: no node has it");
}

namespace Ebpf.Cni.Protocol.Cni;

/// <summary>An operation's failure as the runtime will see it.</summary>
/// <param name="code">One of <see cref="CniErrorCode"/>.</param>
/// <param name="message">One sentence, complete in itself.</param>
/// <param name="details">More, for the curious; may be empty.</param>
/// <param name="inner">The cause, if there is one.</param>
public sealed class CniException(int code, string message, string details = "", Exception? inner = null) : Exception(message, inner)
{
    public int Code { get; } = code;

    public string Details { get; } = details;

    /// <summary>The agent is not there, or went away before it answered: no agent processes the request.</summary>
    public bool AgentGone { get; init; }
}

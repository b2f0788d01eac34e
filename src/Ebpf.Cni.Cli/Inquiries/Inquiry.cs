using System.Text.Json.Serialization.Metadata;
using Ebpf.Cni.Cli.Merged;

namespace Ebpf.Cni.Cli.Inquiries;

/// <summary>A question to agents: how it is put, and how the answers are printed.</summary>
/// <param name="Path">On the agent's socket, with the query.</param>
/// <param name="Words">The command line of ecni that puts it on a node, without options of the output.</param>
/// <param name="Type">Of the answer.</param>
internal sealed record Inquiry<T>(string Path, IReadOnlyList<string> Words, JsonTypeInfo<T> Type) where T : class
{
    /// <summary>One node's answer, on a screen of this width.</summary>
    public required Func<T, int, string> Text { get; init; }

    /// <summary>Several nodes' answers as one, on a screen of this width.</summary>
    public required Func<IReadOnlyList<NodeAnswer<T>>, int, string> Merged { get; init; }

    /// <summary>Where the nodes' answers differ, a sentence each; null for what belongs to a node anyway.</summary>
    public Func<IReadOnlyList<NodeAnswer<T>>, IReadOnlyList<string>>? Differences { get; init; }

    /// <summary>The state that was asked for is as it should be; decides on the exit code.</summary>
    public Func<T, bool> IsGood { get; init; } = _ => true;

    /// <summary>The agent's error that answers the question: the object does not exist on its node.</summary>
    public string? Unknown { get; init; }
}

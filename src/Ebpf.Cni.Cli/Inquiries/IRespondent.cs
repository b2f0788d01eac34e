namespace Ebpf.Cni.Cli.Inquiries;

/// <summary>Answers inquiries: the agent of this node, or the agents of a cluster.</summary>
internal interface IRespondent
{
    /// <summary>The namespace of a Service that is named without one.</summary>
    Task<string> NamespaceAsync(CancellationToken cancel);

    /// <summary>Asks and prints.</summary>
    /// <param name="inquiry">The question.</param>
    /// <param name="json">Prints JSON instead of tables.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>The exit code.</returns>
    Task<int> AnswerAsync<T>(Inquiry<T> inquiry, bool json, CancellationToken cancel) where T : class;

    /// <summary>Opens a TCP connection to HOST:PORT, and prints what became of it.</summary>
    /// <returns>The exit code.</returns>
    Task<int> ProbeAsync(string target, TimeSpan timeout, bool json, CancellationToken cancel);
}

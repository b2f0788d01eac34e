namespace Ebpf.Cni.Cli.Cluster;

/// <summary>kubectl: it knows the kubeconfig, its contexts, credential plugins and proxies, and it has started this program.</summary>
internal interface IKubectl
{
    /// <summary>Runs it to its end, or ends it when cancelled.</summary>
    /// <param name="arguments">Without those that say which cluster.</param>
    /// <param name="interactive">
    /// It has the terminal's input, and what it writes to its error output appears at once: a credential plugin may ask for a login.
    /// </param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="Reporting.CliException">It cannot be started.</exception>
    Task<KubectlOutcome> RunAsync(IReadOnlyList<string> arguments, bool interactive, CancellationToken cancel);
}

/// <param name="ExitCode">Its own, or that of the program that it ran in a container.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Errors">Standard error; "" where it appeared at once.</param>
internal sealed record KubectlOutcome(int ExitCode, string Output, string Errors);

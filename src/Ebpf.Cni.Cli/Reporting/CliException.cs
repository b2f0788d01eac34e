namespace Ebpf.Cni.Cli.Reporting;

/// <summary>What ends a run: a sentence for the person who typed, and the exit code.</summary>
public sealed class CliException(string message, int exitCode) : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    public static CliException Failed(string message) => new(message, ExitCodes.Failed);

    public static CliException Usage(string message) => new(message, ExitCodes.Usage);
}

/// <summary>Documented in docs/cli.md and in the help.</summary>
public static class ExitCodes
{
    public const int Good = 0;

    /// <summary>It failed, or what was asked for is not as it should be (status: not ready; probe: no connection).</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong; nothing was asked.</summary>
    public const int Usage = 2;

    /// <summary>Ctrl-C, as shells count it.</summary>
    public const int Interrupted = 130;
}

using System.Runtime.InteropServices;
using System.Text;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>The verifier refused a program. The message ends with the verifier's last lines, which say why.</summary>
public sealed class BpfLoadException : Exception
{
    private const int LinesShown = 12;

    public BpfLoadException(string program, int errno, string log) : base(Describe(program, errno, log))
    {
        Program = program;
        Errno = errno;
        FullLog = log;
        LastLines = VerifierLog.LastLines(log, LinesShown);
    }

    public string Program { get; }

    /// <summary>Positive, see <see cref="Kernel.Errno"/>.</summary>
    public int Errno { get; }

    /// <summary>The end of the log without the verifier's statistics.</summary>
    public IReadOnlyList<string> LastLines { get; }

    public string FullLog { get; }

    private static string Describe(string program, int errno, string log)
    {
        var text = new StringBuilder();
        text.Append($"load the program {program}: {Marshal.GetPInvokeErrorMessage(errno)} ({Kernel.Errno.Name(errno)})");
        foreach (var line in VerifierLog.LastLines(log, LinesShown))
            text.Append("\n    ").Append(line);
        return text.ToString();
    }
}

/// <summary>Reading what the verifier writes.</summary>
internal static class VerifierLog
{
    /// <summary>The text up to its terminating zero.</summary>
    public static string Text(ReadOnlySpan<byte> buffer)
    {
        var end = buffer.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? buffer : buffer[..end]);
    }

    public static IReadOnlyList<string> LastLines(string log, int count)
    {
        var lines = log.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Where(line => !line.StartsWith("processed ", StringComparison.Ordinal)
                && !line.StartsWith("verification time ", StringComparison.Ordinal)
                && !line.StartsWith("stack depth ", StringComparison.Ordinal))
            .ToList();
        return lines[Math.Max(0, lines.Count - count)..];
    }
}

using System.Text.Encodings.Web;
using System.Text.Json;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin;

/// <summary>
/// One run of the plugin: environment and standard input in, exactly one JSON document out (a result, {} for a command without one,
/// or an error), exit code 0 or 1. Nothing else is ever written to standard output.
/// </summary>
public static class PluginRun
{
    /// <summary>A network configuration is a few hundred bytes, with a prevResult a few thousand.</summary>
    public const int InputMax = 1 << 20;

    /// <summary>Longer than the agent's own limit, shorter than a runtime's.</summary>
    public static readonly TimeSpan AgentLimit = TimeSpan.FromSeconds(60);

    /// <summary>STATUS is one look: an agent that takes longer is as good as away, and runtimes ask every few seconds.</summary>
    public static readonly TimeSpan StatusLimit = TimeSpan.FromSeconds(5);

    /// <param name="variable">The value of an environment variable, or null.</param>
    /// <param name="input">Standard input.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="usualSocket">The agent's, where the configuration does not name it.</param>
    /// <param name="time">How old what the agent has left behind is; null: the system's.</param>
    /// <returns>The exit code.</returns>
    public static int Execute(
        Func<string, string?> variable, Stream input, Stream output, string usualSocket = AgentSocket.Usual, TimeProvider? time = null)
    {
        var version = CniVersion.Newest;
        byte[] document;
        int exitCode;
        try
        {
            var environment = PluginEnvironment.Read(variable);
            document = environment.Command switch
            {
                "VERSION" => AnswerVersion(input, ref version),
                "DEL" => Delete(environment, input, usualSocket, ref version),
                _ => Forward(environment, input, usualSocket, time ?? TimeProvider.System, ref version),
            };
            exitCode = 0;
        }
        catch (Exception e)
        {
            document = ErrorDocument(version, e as CniException ?? Unforeseen(e));
            exitCode = 1;
        }

        output.Write(document);
        output.Write("\n"u8);
        output.Flush();
        return exitCode;
    }

    private static byte[] AnswerVersion(Stream input, ref string version)
    {
        var text = ReadAll(input);
        if (!text.AsSpan().Trim(" \t\r\n"u8).IsEmpty
            && NetworkConfig.Parse(text) is { StatesVersion: true } config
            && CniVersion.IsSupported(config.Version))
            version = config.Version;
        return VersionDocument(version);
    }

    private static byte[] Forward(PluginEnvironment environment, Stream input, string usualSocket, TimeProvider time, ref string version)
    {
        var text = ReadAll(input);
        var config = NetworkConfig.Parse(text);
        if (!CniVersion.IsSupported(config.Version))
        {
            throw new CniException(
                CniErrorCode.IncompatibleVersion,
                $"cniVersion '{config.Version}' is not supported",
                "supported: " + string.Join(", ", CniVersion.Supported));
        }

        version = config.Version;
        if (!CniVersion.Knows(version, environment.Command))
            throw new CniException(CniErrorCode.IncompatibleVersion, $"cniVersion {version} does not define {environment.Command}");
        if (config.Name.Length == 0)
            throw new CniException(CniErrorCode.InvalidNetworkConfig, "the network configuration has no name");
        var socket = config.AgentSocket.Length > 0 ? config.AgentSocket : usualSocket;
        if (!CniNames.IsAbsolutePath(socket))
        {
            throw new CniException(CniErrorCode.InvalidNetworkConfig,
                "'agentSocket' in the network configuration must be the absolute path of the agent's socket");
        }

        return environment.Command == "STATUS" ? Status(environment, socket, text, time) : Ask(environment, socket, text, AgentLimit);
    }

    /// <summary>While the agent is away, what it said last counts for a while: see <see cref="LastStatus"/>.</summary>
    private static byte[] Status(PluginEnvironment environment, string socket, byte[] text, TimeProvider time)
    {
        try
        {
            return Ask(environment, socket, text, StatusLimit);
        }
        catch (CniException e) when (e.Code is CniErrorCode.TryAgainLater or CniErrorCode.IoFailure)
        {
            return LastStatus.Read(LastStatus.PathBeside(socket), time) switch
            {
                { Code: 0 } => "{}"u8.ToArray(),
                { } trouble => throw new CniException(trouble.Code, trouble.Message, trouble.Details, e),
                // The specification's own code for what STATUS is asked about.
                null => throw new CniException(CniErrorCode.PluginNotAvailable, e.Message, e.Details, e),
            };
        }
    }

    /// <summary>
    /// Needs nothing but the names of the attachment, and where the agent is. A DEL that is refused for anything else
    /// is refused for ever: the runtime stops there, the pod stays, and so does what the plugins before us made for it.
    /// </summary>
    private static byte[] Delete(PluginEnvironment environment, Stream input, string usualSocket, ref string version)
    {
        var text = ReadAll(input, cut: true);
        var config = NetworkConfig.Salvage(text, out var wellFormed);
        if (CniVersion.IsSupported(config.Version))
            version = config.Version;
        var socket = CniNames.IsAbsolutePath(config.AgentSocket) ? config.AgentSocket : usualSocket;
        if (!wellFormed)
            text = "{}"u8.ToArray();
        try
        {
            return Ask(environment, socket, text, AgentLimit);
        }
        catch (CniException e) when (e.AgentGone)
        {
            return DeleteLater(environment, socket, text);
        }
    }

    private static byte[] Ask(PluginEnvironment environment, string socket, byte[] text, TimeSpan limit) =>
        AgentAnswer.Result(new AgentClient(socket, limit).Exchange(environment, text));

    /// <summary>
    /// A node drains and pods go also while the agent is being replaced: the DEL is written down, and the agent does it when it comes. It
    /// may have come, and emptied the queue, between the failure and the writing, so it is asked once more.
    /// </summary>
    private static byte[] DeleteLater(PluginEnvironment environment, string socket, byte[] text)
    {
        var queued = new DeleteQueue(PendingDelete.DirectoryBeside(socket))
            .Put(new PendingDelete(environment.ContainerId, environment.Ifname));
        try
        {
            var answer = Ask(environment, socket, text, AgentLimit);
            DeleteQueue.TryDelete(queued);
            return answer;
        }
        catch (CniException)
        {
            // The file is what counts, also for an agent that came and failed: it tries again by itself.
            return "{}"u8.ToArray();
        }
    }

    /// <param name="input">Standard input.</param>
    /// <param name="cut">What is too long is cut off, and not refused.</param>
    private static byte[] ReadAll(Stream input, bool cut = false)
    {
        using var buffer = new MemoryStream();
        var chunk = new byte[8192];
        int read;
        while ((read = input.Read(chunk)) > 0)
        {
            buffer.Write(chunk, 0, read);
            if (buffer.Length <= InputMax)
                continue;
            if (!cut)
                throw new CniException(CniErrorCode.DecodingFailure, $"standard input is longer than {InputMax} bytes");
            break;
        }

        return buffer.ToArray();
    }

    private static CniException Unforeseen(Exception e) => e is IOException
        ? new CniException(CniErrorCode.IoFailure, "standard input cannot be read", e.Message, e)
        : new CniException(CniErrorCode.Internal, "the plugin failed", e.GetType().Name + ": " + e.Message, e);

    private static byte[] VersionDocument(string version) => Document(writer =>
    {
        writer.WriteString("cniVersion"u8, version);
        writer.WriteStartArray("supportedVersions"u8);
        foreach (var supported in CniVersion.Supported)
            writer.WriteStringValue(supported);
        writer.WriteEndArray();
    });

    private static byte[] ErrorDocument(string version, CniException error) => Document(writer =>
    {
        writer.WriteString("cniVersion"u8, version);
        writer.WriteNumber("code"u8, error.Code);
        writer.WriteString("msg"u8, error.Message);
        if (error.Details.Length > 0)
            writer.WriteString("details"u8, error.Details);
    });

    private static byte[] Document(Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }
}

using System.Text.Encodings.Web;
using System.Text.Json;
using Ebpf.Cni.Plugin.Protocol;

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

    public static int Execute(Func<string, string?> variable, Stream input, Stream output)
    {
        var version = CniVersion.Newest;
        byte[] document;
        int exitCode;
        try
        {
            var environment = PluginEnvironment.Read(variable);
            var text = ReadAll(input);
            if (text.AsSpan().Trim(" \t\r\n"u8).IsEmpty && environment.Command == "VERSION")
                text = "{}"u8.ToArray();
            var config = NetworkConfig.Parse(text);
            if (CniVersion.IsSupported(config.CniVersion))
                version = config.CniVersion;
            document = environment.Command == "VERSION" ? VersionDocument(version) : Forward(environment, config, text);
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

    private static byte[] Forward(PluginEnvironment environment, NetworkConfig config, byte[] text)
    {
        if (!CniVersion.IsSupported(config.CniVersion))
        {
            throw new CniException(
                CniErrorCode.IncompatibleVersion,
                config.CniVersion.Length == 0 ? "the network configuration has no cniVersion" : $"cniVersion '{config.CniVersion}' is not supported",
                "supported: " + string.Join(", ", CniVersion.Supported));
        }

        if (!CniVersion.Knows(config.CniVersion, environment.Command))
            throw new CniException(CniErrorCode.IncompatibleVersion, $"cniVersion {config.CniVersion} does not know {environment.Command}");
        if (config.Name.Length == 0)
            throw new CniException(CniErrorCode.InvalidNetworkConfig, "the network configuration has no name");
        if (!CniNames.IsAbsolutePath(config.AgentSocket))
        {
            throw new CniException(CniErrorCode.InvalidNetworkConfig,
                "'agentSocket' in the network configuration must be the absolute path of the agent's socket");
        }

        try
        {
            return Ask(environment, config, text);
        }
        catch (CniException e) when (environment.Command == "DEL" && e.AgentGone)
        {
            return DeleteLater(environment, config, text);
        }
        catch (CniException e) when (environment.Command == "STATUS" && e.Code is (CniErrorCode.TryAgainLater or CniErrorCode.IoFailure))
        {
            // The specification's own code for what STATUS is asked about.
            throw new CniException(CniErrorCode.PluginNotAvailable, e.Message, e.Details, e);
        }
    }

    private static byte[] Ask(PluginEnvironment environment, NetworkConfig config, byte[] text) =>
        AgentAnswer.Result(new AgentClient(config.AgentSocket, AgentLimit).Exchange(environment, text));

    /// <summary>
    /// A node drains and pods go also while the agent is being replaced: the DEL is written down, and the agent does it when it comes. It may have
    /// come, and emptied the queue, between the failure and the writing, so it is asked once more.
    /// </summary>
    private static byte[] DeleteLater(PluginEnvironment environment, NetworkConfig config, byte[] text)
    {
        var queued = new DeleteQueue(PendingDelete.DirectoryBeside(config.AgentSocket)).Put(new PendingDelete(environment.ContainerId, environment.Ifname));
        try
        {
            var answer = Ask(environment, config, text);
            DeleteQueue.TryDelete(queued);
            return answer;
        }
        catch (CniException)
        {
            // The file is what counts, also for an agent that came and failed: it tries again by itself.
            return "{}"u8.ToArray();
        }
    }

    private static byte[] ReadAll(Stream input)
    {
        using var buffer = new MemoryStream();
        var chunk = new byte[8192];
        int read;
        while ((read = input.Read(chunk)) > 0)
        {
            buffer.Write(chunk, 0, read);
            if (buffer.Length > InputMax)
                throw new CniException(CniErrorCode.DecodingFailure, $"standard input is longer than {InputMax} bytes");
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

using System.Text;
using System.Text.Json;
using Ebpf.Cni.Plugin.Protocol;

namespace Ebpf.Cni.Plugin;

/// <summary>What the plugin itself needs of the network configuration; the rest goes to the agent as it came.</summary>
/// <param name="CniVersion">"" when missing.</param>
/// <param name="Name">The network's name; "" when missing.</param>
/// <param name="AgentSocket">Path of the agent's socket; "" when missing.</param>
public sealed record NetworkConfig(string CniVersion, string Name, string AgentSocket)
{
    /// <summary>Reads one JSON object; later duplicates of a key win, as in the reference implementation.</summary>
    /// <exception cref="CniException">Code 6: not one well-formed JSON object. Code 7: a field has the wrong type.</exception>
    public static NetworkConfig Parse(ReadOnlySpan<byte> json)
    {
        string version = "", name = "", socket = "";
        try
        {
            var reader = new Utf8JsonReader(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                throw new CniException(CniErrorCode.DecodingFailure, "the network configuration is not a JSON object");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var key = reader.GetString();
                reader.Read();
                switch (key)
                {
                    case "cniVersion": version = Text(in reader, key); break;
                    case "name": name = Text(in reader, key); break;
                    case "agentSocket": socket = Text(in reader, key); break;
                    default: reader.Skip(); break;
                }
            }

            // Anything after the object is an error, which only a further read can find.
            while (reader.Read()) { }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or DecoderFallbackException)
        {
            throw new CniException(CniErrorCode.DecodingFailure, "the network configuration is not well-formed JSON", Position(e), e);
        }

        return new NetworkConfig(version, name, socket);
    }

    private static string Text(in Utf8JsonReader reader, string key) => reader.TokenType == JsonTokenType.String
        ? reader.GetString()!
        : throw new CniException(CniErrorCode.InvalidNetworkConfig, $"'{key}' in the network configuration is not a string");

    private static string Position(Exception e) => e is JsonException json
        ? $"line {json.LineNumber + 1}, byte {json.BytePositionInLine}"
        : "a string is not valid UTF-8";
}

using System.Text;
using System.Text.Json;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin;

/// <summary>
/// What the plugin itself needs of the network configuration; the rest goes to the agent as it
/// came. Names of members are read in any case and null is nothing, as the reference plugins do it.
/// </summary>
/// <param name="Version">As stated, or <see cref="CniVersion.Unstated"/>.</param>
/// <param name="Name">The network's name; "" when missing.</param>
/// <param name="AgentSocket">Path of the agent's socket; "" when missing.</param>
public sealed record NetworkConfig(string Version, string Name, string AgentSocket)
{
    public bool StatesVersion { get; init; }

    /// <summary>Reads one JSON object; later duplicates of a key win, as in the reference implementation.</summary>
    /// <exception cref="CniException">Code 6: not one well-formed JSON object. Code 7: a field has the wrong type.</exception>
    public static NetworkConfig Parse(ReadOnlySpan<byte> json)
    {
        var fields = new Fields();
        fields.Read(json, strict: true);
        return fields.Config;
    }

    /// <summary>What can be read of it, for a DEL: that has to succeed also with a configuration that is never put right.</summary>
    /// <param name="json">Anything.</param>
    /// <param name="wellFormed">Whether it is one JSON object.</param>
    public static NetworkConfig Salvage(ReadOnlySpan<byte> json, out bool wellFormed)
    {
        var fields = new Fields();
        try
        {
            fields.Read(json, strict: false);
            wellFormed = true;
        }
        catch (CniException)
        {
            wellFormed = false;
        }

        return fields.Config;
    }

    private static string Position(Exception e) => e is JsonException json
        ? $"line {json.LineNumber + 1}, byte {json.BytePositionInLine}"
        : "a string is not valid UTF-8";

    private sealed class Fields
    {
        private string _version = "", _name = "", _socket = "";

        public NetworkConfig Config => new(CniVersion.Of(_version), _name, _socket) { StatesVersion = _version.Length > 0 };

        /// <param name="json">The text.</param>
        /// <param name="strict">A field of the wrong type is an error, and not as good as missing.</param>
        public void Read(ReadOnlySpan<byte> json, bool strict)
        {
            try
            {
                var reader = new Utf8JsonReader(json);
                if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                    throw new CniException(CniErrorCode.DecodingFailure, "the network configuration is not a JSON object");
                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    var key = reader.GetString()!;
                    reader.Read();
                    if (Is(key, "cniVersion"))
                        Set(ref _version, ref reader, "cniVersion", strict);
                    else if (Is(key, "name"))
                        Set(ref _name, ref reader, "name", strict);
                    else if (Is(key, "agentSocket"))
                        Set(ref _socket, ref reader, "agentSocket", strict);
                    else
                        reader.Skip();
                }

                // Anything after the object is an error, which only a further read can find.
                while (reader.Read()) { }
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or DecoderFallbackException)
            {
                throw new CniException(CniErrorCode.DecodingFailure, "the network configuration is not well-formed JSON", Position(e), e);
            }
        }

        private static bool Is(string key, string name) => key.Equals(name, StringComparison.OrdinalIgnoreCase);

        private static void Set(ref string field, ref Utf8JsonReader reader, string name, bool strict)
        {
            if (reader.TokenType == JsonTokenType.String)
                field = reader.GetString()!;
            else if (reader.TokenType == JsonTokenType.Null || !strict)
                reader.Skip();
            else
                throw new CniException(CniErrorCode.InvalidNetworkConfig, $"'{name}' in the network configuration is not a string");
        }
    }
}

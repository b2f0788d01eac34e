using System.Text.Json;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin;

/// <summary>What the agent answered: {"result":…}, {"error":{"code","msg","details"}} or {}.</summary>
public static class AgentAnswer
{
    /// <summary>The result's JSON text; {} where the command has none.</summary>
    /// <exception cref="CniException">The error that the agent reports; code 6 when the answer cannot be read.</exception>
    public static byte[] Result(byte[] answer)
    {
        ArgumentNullException.ThrowIfNull(answer);
        if (answer.Length == 0)
            throw new CniException(CniErrorCode.IoFailure, "the ebpf-cni agent closed the connection without an answer")
                { AgentGone = true };
        try
        {
            var reader = new Utf8JsonReader(answer);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw Unreadable(null);
            byte[]? result = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("error"u8))
                    throw Error(ref reader);
                var isResult = reader.ValueTextEquals("result"u8);
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                reader.Skip();
                if (isResult)
                    result = answer[start..(int)reader.BytesConsumed];
            }

            while (reader.Read()) { } // throws for anything after the object
            return result ?? "{}"u8.ToArray();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw Unreadable(e);
        }
    }

    private static CniException Error(ref Utf8JsonReader reader)
    {
        var code = CniErrorCode.Internal;
        string message = "", details = "";
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            return Unreadable(null);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString();
            reader.Read();
            switch (key)
            {
                case "code": code = reader.GetInt32(); break;
                case "msg": message = reader.GetString() ?? ""; break;
                case "details": details = reader.GetString() ?? ""; break;
                default: reader.Skip(); break;
            }
        }

        return new CniException(code, message, details);
    }

    private static CniException Unreadable(Exception? e) =>
        new(CniErrorCode.DecodingFailure, "the ebpf-cni agent's answer cannot be read", inner: e);
}

using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>Answers to the plugin, as JSON: {"result":…}, {"error":…}, {}.</summary>
public static class CniAnswer
{
    public static byte[] Empty => "{}"u8.ToArray();

    public static byte[] Error(CniException error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return Document(writer =>
        {
            writer.WriteStartObject("error"u8);
            writer.WriteNumber("code"u8, error.Code);
            writer.WriteString("msg"u8, error.Message);
            writer.WriteString("details"u8, error.Details);
            writer.WriteEndObject();
        });
    }

    public static byte[] Result(Action<Utf8JsonWriter> result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return Document(writer =>
        {
            writer.WritePropertyName("result"u8);
            result(writer);
        });
    }

    private static byte[] Document(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}

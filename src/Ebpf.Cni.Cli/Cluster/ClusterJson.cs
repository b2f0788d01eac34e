using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ebpf.Cni.Cli.Cluster;

/// <summary>
/// {"nodes": [{"node", "pod", "answer" or "error"}], "differences": ["..."]}: agents' answers as they are; differences where nodes are
/// compared.
/// </summary>
internal static class ClusterJson
{
    // As an agent writes its answers.
    private static readonly JsonWriterOptions Written = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Of(IReadOnlyList<NodeReply> replies, IReadOnlyList<string>? differences)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Written))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("nodes");
            foreach (var reply in replies)
                Write(writer, reply);
            writer.WriteEndArray();
            if (differences is not null)
            {
                writer.WriteStartArray("differences");
                foreach (var difference in differences)
                    writer.WriteStringValue(difference);
                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n";
    }

    private static void Write(Utf8JsonWriter writer, NodeReply reply)
    {
        writer.WriteStartObject();
        writer.WriteString("node", reply.Pod.Node);
        writer.WriteString("pod", $"{reply.Pod.Namespace}/{reply.Pod.Name}");
        if (reply.Body is { } body)
        {
            using var document = JsonDocument.Parse(body);
            writer.WritePropertyName("answer");
            document.RootElement.WriteTo(writer);
        }
        else
        {
            writer.WriteString("error", reply.Error);
        }

        writer.WriteEndObject();
    }
}

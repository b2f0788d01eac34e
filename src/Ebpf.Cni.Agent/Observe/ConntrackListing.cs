using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Conntrack;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Who fills the connection table, for a person or a script.</summary>
/// <param name="Top">Read now.</param>
/// <param name="Last">The result of the last garbage collection pass; null before the first.</param>
/// <param name="Names">What ids stand for.</param>
internal sealed record ConntrackListing(ConntrackTop Top, SweepResult? Last, IReadOnlyDictionary<uint, ServicePortName> Names)
{
    private double Fill => Top.Usage.Fill;

    private ImmutableSortedDictionary<CtState, int> States => Last?.ByState ?? ImmutableSortedDictionary<CtState, int>.Empty;

    public byte[] Text()
    {
        var text = new StringBuilder();
        foreach (var (name, table) in new[] { ("tcp", Top.Usage.Tcp), ("other", Top.Usage.Any) })
            Line($"{name,-12} {table.Entries} of {table.Size} ({ConntrackUsage.Share(table):0.0 %})");
        foreach (var (state, count) in States)
            Line($"{LabelText.Snake(state),-12} {count}");
        Line($"\n{"CONNECTIONS",11}  CLIENT");
        foreach (var client in Top.Clients)
            Line($"{client.Connections,11}  {client.Client}");
        Line($"\n{"CONNECTIONS",11}  SERVICE");
        foreach (var service in Top.Services)
            Line($"{service.Connections,11}  {Name(service.ServiceId)}");
        return Encoding.UTF8.GetBytes(text.ToString());

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    public byte[] Json()
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("connections"u8, Top.Usage.Connections);
            writer.WriteNumber("size"u8, Top.Usage.Size);
            writer.WriteNumber("fillRatio"u8, Fill);
            writer.WriteStartObject("states"u8);
            foreach (var (state, count) in States)
                writer.WriteNumber(LabelText.Snake(state), count);
            writer.WriteEndObject();
            writer.WriteStartArray("clients"u8);
            foreach (var client in Top.Clients)
                Holder(writer, "client", client.Client.ToString(), client.Connections);
            writer.WriteEndArray();
            writer.WriteStartArray("services"u8);
            foreach (var service in Top.Services)
                Holder(writer, "service", Name(service.ServiceId), service.Connections);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void Holder(Utf8JsonWriter writer, string kind, string name, int connections)
    {
        writer.WriteStartObject();
        writer.WriteString(kind, name);
        writer.WriteNumber("connections"u8, connections);
        writer.WriteEndObject();
    }

    private string Name(uint id) => id == 0 ? "(none: masqueraded only)"
        : Names.TryGetValue(id, out var name) ? name.ToString()
        : string.Create(CultureInfo.InvariantCulture, $"(gone, id {id})");
}

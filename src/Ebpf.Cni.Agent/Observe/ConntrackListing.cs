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
/// <param name="Last">What the last sweep found; null before the first.</param>
/// <param name="Names">What ids stand for.</param>
internal sealed record ConntrackListing(ConntrackTop Top, SweepResult? Last, IReadOnlyDictionary<uint, ServicePortName> Names)
{
    private double Fill => Top.Usage.Size == 0 ? 0 : (double)Top.Usage.Entries / Top.Usage.Size;

    private ImmutableSortedDictionary<CtState, int> States => Last?.ByState ?? ImmutableSortedDictionary<CtState, int>.Empty;

    public byte[] Text()
    {
        var text = new StringBuilder();
        Line($"entries      {Top.Usage.Entries} of {Top.Usage.Size} ({Fill:0.0 %})");
        foreach (var (state, count) in States)
            Line($"{LabelText.Snake(state),-12} {count}");
        Line($"\n{"ENTRIES",8}  CLIENT");
        foreach (var client in Top.Clients)
            Line($"{client.Entries,8}  {client.Client}");
        Line($"\n{"ENTRIES",8}  SERVICE");
        foreach (var service in Top.Services)
            Line($"{service.Entries,8}  {Name(service.ServiceId)}");
        return Encoding.UTF8.GetBytes(text.ToString());

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    public byte[] Json()
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("entries"u8, Top.Usage.Entries);
            writer.WriteNumber("size"u8, Top.Usage.Size);
            writer.WriteNumber("fillRatio"u8, Fill);
            writer.WriteStartObject("states"u8);
            foreach (var (state, count) in States)
                writer.WriteNumber(LabelText.Snake(state), count);
            writer.WriteEndObject();
            writer.WriteStartArray("clients"u8);
            foreach (var client in Top.Clients)
                Holder(writer, "client", client.Client.ToString(), client.Entries);
            writer.WriteEndArray();
            writer.WriteStartArray("services"u8);
            foreach (var service in Top.Services)
                Holder(writer, "service", Name(service.ServiceId), service.Entries);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void Holder(Utf8JsonWriter writer, string kind, string name, int entries)
    {
        writer.WriteStartObject();
        writer.WriteString(kind, name);
        writer.WriteNumber("entries"u8, entries);
        writer.WriteEndObject();
    }

    private string Name(uint id) => id == 0 ? "(none: masqueraded only)"
        : Names.TryGetValue(id, out var name) ? name.ToString()
        : string.Create(CultureInfo.InvariantCulture, $"(gone, id {id})");
}

using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Plugin.Protocol;

namespace Ebpf.Cni.Agent.Cni;

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

    /// <summary>
    /// ADD's result in the request's version: the host side first, then the pod's, which every address belongs to. Addresses are single
    /// (/32, /128); everything else goes through the gateway that each family has in every pod.
    /// </summary>
    public static byte[] Added(EndpointRecord endpoint, CniRequest request)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(request);
        var addresses = endpoint.Addresses.Select(IPAddress.Parse).ToList();
        return Document(writer =>
        {
            writer.WriteStartObject("result"u8);
            writer.WriteString("cniVersion"u8, request.Version);
            WriteInterfaces(writer, endpoint, request.Version);
            writer.WriteStartArray("ips"u8);
            foreach (var address in addresses)
                WriteAddress(writer, address, request.Version);
            writer.WriteEndArray();
            writer.WriteStartArray("routes"u8);
            foreach (var address in addresses)
            {
                writer.WriteStartObject();
                writer.WriteString("dst"u8, PodWiring.DefaultRoute(address.AddressFamily).ToString());
                writer.WriteString("gw"u8, PodWiring.Gateway(address.AddressFamily).ToString());
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WritePropertyName("dns"u8);
            if (request.Dns is { } dns)
                dns.WriteTo(writer);
            else
                writer.WriteRawValue("{}"u8);
            writer.WriteEndObject();
        });
    }

    private static void WriteInterfaces(Utf8JsonWriter writer, EndpointRecord endpoint, string version)
    {
        writer.WriteStartArray("interfaces"u8);
        Write(endpoint.Key.HostInterface, endpoint.Key.Mac(host: true), "");
        Write(endpoint.Ifname, endpoint.Key.Mac(host: false), endpoint.Netns);
        writer.WriteEndArray();

        void Write(string name, byte[] mac, string sandbox)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, name);
            writer.WriteString("mac"u8, MacAddr.FromBytes(mac).ToString());
            if (version == "1.1.0" && endpoint.Mtu > 0)
                writer.WriteNumber("mtu"u8, endpoint.Mtu);
            if (sandbox.Length > 0)
                writer.WriteString("sandbox"u8, sandbox);
            writer.WriteEndObject();
        }
    }

    private static void WriteAddress(Utf8JsonWriter writer, IPAddress address, string version)
    {
        writer.WriteStartObject();
        if (CniVersion.NamesFamily(version))
            writer.WriteString("version"u8, address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? "4" : "6");
        writer.WriteNumber("interface"u8, 1);
        writer.WriteString("address"u8, string.Create(CultureInfo.InvariantCulture, $"{address}/{PodWiring.FullPrefix(address.AddressFamily)}"));
        writer.WriteString("gateway"u8, PodWiring.Gateway(address.AddressFamily).ToString());
        writer.WriteEndObject();
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

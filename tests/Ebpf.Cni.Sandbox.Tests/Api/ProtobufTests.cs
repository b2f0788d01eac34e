using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

/// <summary>Bodies in the API's protobuf, byte by byte. The tests of the verbs cover the bodies that kubectl sends.</summary>
public sealed class ProtobufTests : ApiTest
{
    private const byte Unknown = 200;

    // metadata: {name: a}, data: {k: v}, immutable: false
    private static readonly byte[] Map = [.. Member(1, Text(1, "a")), .. Member(2, [.. Text(1, "k"), .. Text(2, "v")]), 0x20, 0];

    [Fact]
    public async Task An_object_equals_its_json()
    {
        var (code, made) = await PostAsync(Envelope("v1", "ConfigMap", Map));
        Assert.Equal(201, code);
        Assert.Equal(("a", "v", false), (made.Name(), made.Text("data", "k"), made.Flag("immutable")));
    }

    [Fact]
    public async Task An_unknown_field_is_refused_unless_it_is_empty()
    {
        Assert.Equal(201, (await PostAsync(Envelope("v1", "ConfigMap", [.. Map, .. Member(Unknown, [])]))).Code);
        var (code, status) = await PostAsync(Envelope("v1", "ConfigMap", [.. Map, .. Member(Unknown, [1])]));
        Assert.Equal(400, code);
        Assert.Contains($"field {Unknown} of ConfigMap", status.Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unknown_kinds_and_malformed_bodies_are_refused()
    {
        Assert.Equal(400, (await PostAsync(Envelope("v1", "Nothing", Map))).Code);
        Assert.Equal(400, (await PostAsync(Envelope("v1", "ConfigMap", [10, 100]))).Code);
        Assert.Equal(400, (await PostAsync("{}"u8.ToArray())).Code);
        var random = new byte[64];
        for (var i = 0; i < 1000; i++)
        {
            Random.Shared.NextBytes(random);
            Assert.InRange((await PostAsync(Envelope("v1", "ConfigMap", random))).Code, 400, 499);
        }
    }

    private async Task<(int Code, JsonNode? Json)> PostAsync(byte[] body)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/vnd.kubernetes.protobuf");
        using var answer = await Http.PostAsync(new Uri(ConfigMaps, UriKind.Relative), content);
        return ((int)answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync()));
    }

    private static byte[] Envelope(string version, string kind, byte[] raw) =>
        [.. "k8s\0"u8, .. Member(1, [.. Text(1, version), .. Text(2, kind)]), .. Member(2, raw)];

    private static byte[] Text(byte number, string text) => Member(number, Encoding.UTF8.GetBytes(text));

    // a tag is a varint of two bytes from number 16 on
    private static byte[] Member(byte number, byte[] content)
    {
        var tag = (number << 3) | 2;
        byte[] head = tag < 128 ? [(byte)tag] : [(byte)(tag | 128), (byte)(tag >> 7)];
        return [.. head, (byte)content.Length, .. content];
    }
}

using System.Buffers;
using System.Text;
using System.Text.Json;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>Whatever bytes come, the readers decode them or say JsonException; nothing else gets out.</summary>
public class FuzzTests
{
    private static readonly string List =
        $$"""{"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[{{Samples.DualStackService}},{{Samples.DualStackService}}]}""";

    [Fact]
    public async Task Mutated_lists()
    {
        var random = new Random(Seed.Next());
        for (var i = 0; i < 2000; i++)
        {
            var bytes = Mutate(random, List);
            try
            {
                var reader = new ListPageReader<Compiler.Model.ServiceSnapshot>(Kinds.Services, new JsonPruner(Kinds.Services.Members));
                var (page, items) = await reader.ReadAsync(new MemoryStream(bytes), _ => { }, CancellationToken.None);
                Assert.NotEmpty(page.Version);
                Assert.All(items, item => Assert.True(item.Value is not null || item.Error is not null));
            }
            catch (JsonException)
            {
            }
        }
    }

    [Fact]
    public void Mutated_events()
    {
        var random = new Random(Seed.Next());
        var text = $$"""{"type":"MODIFIED","object":{{Samples.Slice}}}""";
        for (var i = 0; i < 5000; i++)
        {
            try
            {
                var e = WatchEvent.Parse(new ReadOnlySequence<byte>(Mutate(random, text)));
                var decoded = Kinds.EndpointSlices.Decode(e.Object);
                Assert.True(decoded.Value is not null || decoded.Error is not null);
            }
            catch (JsonException)
            {
            }
        }
    }

    internal static byte[] Mutate(Random random, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        for (var n = random.Next(4); n >= 0; n--)
        {
            var at = random.Next(bytes.Length);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes = bytes[..at];
                    if (bytes.Length == 0)
                        return bytes;
                    break;
                case 2:
                    bytes = [.. bytes[..at], .. Encoding.UTF8.GetBytes(Interesting[random.Next(Interesting.Length)]), .. bytes[at..]];
                    break;
                default:
                    var end = Math.Min(bytes.Length, at + random.Next(40));
                    bytes = [.. bytes[..at], .. bytes[end..]];
                    if (bytes.Length == 0)
                        return bytes;
                    break;
            }
        }

        return bytes;
    }

    private static readonly string[] Interesting =
        ["\\ud800", "null", "{", "}", "[", "]", "\"", "1e999", ",", "99999999999999999999", "\u0000", "\\u0000", "[[[[[[[["];
}

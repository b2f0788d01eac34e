using System.Buffers;
using System.Text;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>Pruning changes nothing of what is decoded, and leaves little of what is not.</summary>
public class JsonPrunerTests
{
    [Fact]
    public void What_is_decoded_is_the_same()
    {
        AssertSame(Kinds.Services, Samples.DualStackService, SnapshotContent.Same);
        AssertSame(Kinds.Services, Samples.LoadBalancerService, SnapshotContent.Same);
        AssertSame(Kinds.EndpointSlices, Samples.Slice, SnapshotContent.Same);
        AssertSame(Kinds.Nodes, Samples.Node, SnapshotContent.Same);
        AssertSame(Kinds.Nodes, Samples.LargeNode(), SnapshotContent.Same);
    }

    [Fact]
    public void Mutated_objects_decode_as_they_would_have()
    {
        var random = new Random(Seed.Next());
        var pruner = new JsonPruner(Kinds.Services.Members);
        for (var i = 0; i < 5000; i++)
        {
            var json = new ReadOnlySequence<byte>(FuzzTests.Mutate(random, Samples.LoadBalancerService));
            var whole = Kinds.Services.Decode(json);
            var pruned = Kinds.Services.Decode(pruner.Prune(json));
            // What is wrong with what is dropped goes unseen; nothing else may differ.
            if (whole.Value is not null)
                Assert.True(pruned.Value is not null && SnapshotContent.Same(whole.Value, pruned.Value) && whole.Version == pruned.Version);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{}}")]
    [InlineData("{,}")]
    [InlineData("{\"kind\":\"x\",}")]
    [InlineData("{\"kind\" \"x\"}")]
    [InlineData("{\"kind\":}")]
    [InlineData("{\"kind\":\"x}")]
    [InlineData("{\"kind\":\"x\\")]
    [InlineData("{\"k\\u0069nd\":\"x\"}")]
    [InlineData("{\"x\":[{]}")]
    public void What_is_not_of_the_plain_form_is_left_as_it_is(string text)
    {
        var json = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(text));
        Assert.Equal(text, Encoding.UTF8.GetString(new JsonPruner(Kinds.Services.Members).Prune(json)));
    }

    [Fact]
    public void An_event_keeps_its_type_and_what_a_status_says()
    {
        var pruner = new JsonPruner(WatchEvent.Members(Kinds.Nodes.Members));
        var error = Encoding.UTF8.GetBytes(
            """{"type":"ERROR","object":{"kind":"Status","metadata":{"x":1}"""
            + ""","status":"Failure","message":"m","reason":"r","details":{"causes":[]},"code":410,"y":{} } }""");
        Assert.Equal(
            """{"type":"ERROR","object":{"kind":"Status","metadata":{}"""
            + ""","status":"Failure","message":"m","reason":"r","details":{"causes":[]},"code":410}}""",
            Encoding.UTF8.GetString(pruner.Prune(new ReadOnlySequence<byte>(error))));
    }

    /// <summary>5,000 nodes with a heartbeat each every 10 s are 500 of these a second.</summary>
    [Fact]
    public void A_heartbeat_costs_next_to_nothing()
    {
        var line = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes($$"""{"type":"MODIFIED","object":{{Samples.LargeNode()}}}"""));
        var pruner = new JsonPruner(WatchEvent.Members(Kinds.Nodes.Members));
        Assert.True(line.Length > 15_000);
        Assert.True(pruner.Prune(line).Length < 1_500, $"{pruner.Prune(line).Length} bytes are left");
        Kinds.Nodes.Decode(WatchEvent.Parse(pruner.Prune(line)).Object);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            Kinds.Nodes.Decode(WatchEvent.Parse(pruner.Prune(line)).Object);
        var each = (GC.GetAllocatedBytesForCurrentThread() - before) / 100;
        Assert.True(each < 2_500, $"{each} bytes are allocated");
    }

    private static void AssertSame<T>(ResourceKind<T> kind, string text, Func<T, T, bool> same)
        where T : class
    {
        var json = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(text));
        var pruned = new JsonPruner(kind.Members).Prune(json);
        Assert.True(pruned.Length < json.Length);
        Assert.True(same(kind.Decode(json).Value!, kind.Decode(pruned).Value!), Encoding.UTF8.GetString(pruned));
    }
}

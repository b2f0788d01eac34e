using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api.Patching;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

/// <summary>RFC 6902, appendix A, and what else a patch may say. Null: the patch is refused.</summary>
public sealed class JsonPatchTests
{
    [Theory]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/baz","value":"qux"}]""", """{"baz":"qux","foo":"bar"}""")]
    [InlineData("""{"foo":["bar","baz"]}""", """[{"op":"add","path":"/foo/1","value":"qux"}]""", """{"foo":["bar","qux","baz"]}""")]
    [InlineData("""{"foo":[1]}""", """[{"op":"add","path":"/foo/1","value":2}]""", """{"foo":[1,2]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"remove","path":"/baz"}]""", """{"foo":"bar"}""")]
    [InlineData("""{"foo":["bar","qux","baz"]}""", """[{"op":"remove","path":"/foo/1"}]""", """{"foo":["bar","baz"]}""")]
    [InlineData("""{"baz":"qux","foo":"bar"}""", """[{"op":"replace","path":"/baz","value":"boo"}]""", """{"baz":"boo","foo":"bar"}""")]
    [InlineData(
        """{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}""",
        """[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]""",
        """{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}""")]
    [InlineData(
        """{"foo":["all","grass","cows","eat"]}""",
        """[{"op":"move","from":"/foo/1","path":"/foo/3"}]""",
        """{"foo":["all","cows","eat","grass"]}""")]
    [InlineData(
        """{"a":{"b":[1]}}""",
        """[{"op":"copy","from":"/a/b","path":"/c"},{"op":"add","path":"/c/-","value":2}]""",
        """{"a":{"b":[1]},"c":[1,2]}""")]
    [InlineData(
        """{"baz":"qux","foo":["a",2,"c"]}""",
        """[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]""",
        """{"baz":"qux","foo":["a",2,"c"]}""")]
    [InlineData("""{"a":{"x":1,"y":[2]}}""", """[{"op":"test","path":"/a","value":{"y":[2],"x":1}}]""", """{"a":{"x":1,"y":[2]}}""")]
    [InlineData("""{"baz":"qux"}""", """[{"op":"test","path":"/baz","value":"bar"}]""", null)]
    [InlineData(
        """{"foo":"bar"}""",
        """[{"op":"add","path":"/child","value":{"grandchild":{}}}]""",
        """{"foo":"bar","child":{"grandchild":{}}}""")]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/baz","value":"qux","xyz":123}]""", """{"foo":"bar","baz":"qux"}""")]
    [InlineData("""{"foo":"bar"}""", """[{"op":"add","path":"/baz/bat","value":"qux"}]""", null)]
    [InlineData("""{"/":9,"~1":10}""", """[{"op":"test","path":"/~01","value":10}]""", """{"/":9,"~1":10}""")]
    [InlineData("""{"~1":10}""", """[{"op":"test","path":"/~01","value":"10"}]""", null)]
    [InlineData("""{"foo":["bar"]}""", """[{"op":"add","path":"/foo/-","value":["abc","def"]}]""", """{"foo":["bar",["abc","def"]]}""")]
    [InlineData("""{"a":1}""", """[{"op":"add","path":"/b","value":null}]""", """{"a":1,"b":null}""")]
    [InlineData("""{"a":{"b.c/d":1}}""", """[{"op":"replace","path":"/a/b.c~1d","value":2}]""", """{"a":{"b.c/d":2}}""")]
    [InlineData("""{"a":1}""", """[{"op":"test","path":"/b","value":null}]""", null)]
    [InlineData("""{"a":1}""", """[{"op":"remove","path":"/b"}]""", null)]
    [InlineData("""{"a":1}""", """[{"op":"replace","path":"/b","value":2}]""", null)]
    [InlineData("""{"a":[1]}""", """[{"op":"add","path":"/a/2","value":2}]""", null)]
    [InlineData("""{"a":[1]}""", """[{"op":"replace","path":"/a/1","value":2}]""", null)]
    [InlineData("""{"a":[1,2]}""", """[{"op":"remove","path":"/a/-1"}]""", null)]
    [InlineData("""{"a":[1,2]}""", """[{"op":"remove","path":"/a/01"}]""", null)]
    [InlineData("""{"a":{"b":{}}}""", """[{"op":"move","from":"/a","path":"/a/b/c"}]""", null)]
    [InlineData("""{"a":1}""", """[{"op":"copy","from":"/b","path":"/c"}]""", null)]
    [InlineData("""{"a":1}""", """[{"op":"add","path":"b","value":1}]""", null)]
    [InlineData("""{"a":1}""", """[{"op":"increase","path":"/a"}]""", null)]
    [InlineData("""{"a":1}""", """[{"path":"/a","value":2}]""", null)]
    [InlineData("""{"a":1}""", """[{"op":"replace","path":"","value":5}]""", null)]
    [InlineData("""{"a":1}""", """["remove"]""", null)]
    public void A_patch_is_applied_as_the_standard_says(string document, string patch, string? expected)
    {
        var target = (JsonObject)JsonNode.Parse(document)!;
        var operations = (JsonArray)JsonNode.Parse(patch)!;
        if (expected is null)
            Assert.InRange(Assert.Throws<ApiException>(() => JsonPatch.Apply(target, operations)).Code, 400, 422);
        else
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), JsonPatch.Apply(target, operations)), target.ToJsonString());
    }
}

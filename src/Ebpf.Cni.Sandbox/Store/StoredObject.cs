using System.Text;
using System.Text.Json.Nodes;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>
/// One version of one object. Immutable by agreement: a caller that needs another content copies <see cref="Json"/> first.
/// </summary>
public sealed class StoredObject
{
    private byte[]? _encoded;

    internal StoredObject(JsonObject json, long resourceVersion)
    {
        Materialise(json);
        Json = json;
        ResourceVersion = resourceVersion;
        Key = KeyOf(json.Namespace(), json.Name());
    }

    public JsonObject Json { get; }

    public long ResourceVersion { get; }

    /// <summary>"namespace/name", or "/name" outside namespaces: the order of lists.</summary>
    public string Key { get; }

    /// <summary>The object as UTF-8 JSON, encoded once for all who list or watch it.</summary>
    public ReadOnlyMemory<byte> Encoded => _encoded ??= Encoding.UTF8.GetBytes(Json.ToJsonString());

    internal static string KeyOf(string ns, string name) => ns + "/" + name;

    // A parsed JsonNode materialises its members on first access, which is a write: done here once, reads by many threads are safe.
    private static void Materialise(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject obj:
                foreach (var (_, value) in obj)
                    Materialise(value);
                break;
            case JsonArray array:
                foreach (var item in array)
                    Materialise(item);
                break;
        }
    }
}

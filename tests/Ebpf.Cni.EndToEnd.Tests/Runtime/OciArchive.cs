using System.Formats.Tar;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>An image of one layer as an archive in the layout of the OCI image specification.</summary>
internal static class OciArchive
{
    private const string Layout = "application/vnd.oci.image.";

    private static string Architecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64
        ? "arm64" : "amd64";

    /// <param name="archive">The file to make.</param>
    /// <param name="name">Under this name a runtime will know it.</param>
    /// <param name="layer">A tar file.</param>
    /// <param name="entrypoint">What its containers run.</param>
    public static void Write(string archive, string name, byte[] layer, string[] entrypoint)
    {
        var config = Bytes(new JsonObject
        {
            ["architecture"] = Architecture,
            ["os"] = "linux",
            ["config"] = new JsonObject { ["Entrypoint"] = new JsonArray([.. entrypoint.Select(e => (JsonNode)e)]) },
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray(Digest(layer)) },
        });
        var manifest = Bytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = Layout + "manifest.v1+json",
            ["config"] = Descriptor("config.v1+json", config),
            ["layers"] = new JsonArray(Descriptor("layer.v1.tar", layer)),
        });
        var entry = Descriptor("manifest.v1+json", manifest);
        entry["annotations"] = new JsonObject { ["io.containerd.image.name"] = name };
        entry["platform"] = new JsonObject { ["architecture"] = Architecture, ["os"] = "linux" };
        using var file = File.Create(archive);
        using var tar = new TarWriter(file);
        Add(tar, "oci-layout", Bytes(new JsonObject { ["imageLayoutVersion"] = "1.0.0" }));
        Add(tar, "index.json", Bytes(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(entry) }));
        foreach (var blob in (byte[][])[layer, config, manifest])
            Add(tar, Digest(blob).Replace("sha256:", "blobs/sha256/", StringComparison.Ordinal), blob);
    }

    public static void Add(TarWriter tar, string name, byte[] content)
    {
        using var stream = new MemoryStream(content);
        tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name)
        {
            DataStream = stream,
            Mode = (UnixFileMode)0b111_101_101,
        });
    }

    private static JsonObject Descriptor(string type, byte[] content) => new()
    {
        ["mediaType"] = Layout + type,
        ["digest"] = Digest(content),
        ["size"] = content.Length,
    };

    private static byte[] Bytes(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString());

    private static string Digest(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));
}

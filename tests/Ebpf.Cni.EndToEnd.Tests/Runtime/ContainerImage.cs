using System.Diagnostics;
using System.Formats.Tar;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>
/// An image of one file, programs/pod.c linked statically, as an archive in the layout of the OCI image specification: made on the spot, so
/// that no registry is asked.
/// </summary>
internal static class ContainerImage
{
    /// <summary>Under this name containerd knows it.</summary>
    public const string Name = "ebpf-cni.test/pod:1";

    /// <summary>Where the program listens, TCP and UDP.</summary>
    public const int Port = 8080;

    private const string Layout = "application/vnd.oci.image.";

    private static string Architecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    /// <exception cref="InvalidOperationException">The compiler failed; carries what it said.</exception>
    public static void Write(string archive, string scratch)
    {
        var program = Path.Combine(scratch, "pod");
        Compile(Path.Combine(AppContext.BaseDirectory, "programs", "pod.c"), program);
        var layer = Layer(program);
        var config = Bytes(new JsonObject
        {
            ["architecture"] = Architecture,
            ["os"] = "linux",
            ["config"] = new JsonObject { ["Entrypoint"] = new JsonArray("/pod", $"{Port}") },
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
        entry["annotations"] = new JsonObject { ["io.containerd.image.name"] = Name };
        entry["platform"] = new JsonObject { ["architecture"] = Architecture, ["os"] = "linux" };
        using var file = File.Create(archive);
        using var tar = new TarWriter(file);
        Add(tar, "oci-layout", Bytes(new JsonObject { ["imageLayoutVersion"] = "1.0.0" }));
        Add(tar, "index.json", Bytes(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(entry) }));
        foreach (var blob in (byte[][])[layer, config, manifest])
            Add(tar, Digest(blob).Replace("sha256:", "blobs/sha256/", StringComparison.Ordinal), blob);
    }

    private static void Compile(string source, string program)
    {
        using var compiler = Process.Start(new ProcessStartInfo("gcc", ["-static", "-Os", "-s", "-o", program, source]) { RedirectStandardError = true })!;
        var said = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        if (compiler.ExitCode != 0)
            throw new InvalidOperationException($"gcc cannot make {program}: {said.Trim()}");
    }

    private static byte[] Layer(string program)
    {
        using var memory = new MemoryStream();
        using (var tar = new TarWriter(memory, leaveOpen: true))
            Add(tar, "pod", File.ReadAllBytes(program));
        return memory.ToArray();
    }

    private static void Add(TarWriter tar, string name, byte[] content)
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

using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Ebpf.Cni.Pods.Files;

/// <summary>Reading and writing one state file.</summary>
public static class StateFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static void Write<T>(string path, T value, JsonTypeInfo<T> type) =>
        AtomicFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(value, type), OwnerOnly);

    /// <summary>Null when the file does not hold what it should, or cannot be read; then there is a cause.</summary>
    public static T? Read<T>(string path, JsonTypeInfo<T> type, out string? cause) where T : class
    {
        try
        {
            var value = JsonSerializer.Deserialize(File.ReadAllBytes(path), type);
            cause = value is null ? "the document is null" : null;
            return value;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            cause = e.Message;
            return null;
        }
    }
}

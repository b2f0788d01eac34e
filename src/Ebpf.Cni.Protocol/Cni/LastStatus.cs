using System.Text.Json;

namespace Ebpf.Cni.Protocol.Cni;

/// <summary>
/// What the agent says about itself, in a file beside its socket: written anew every
/// <see cref="Period"/> for as long as it serves. The plugin answers STATUS with it while an agent is
/// being replaced: a node whose pods can be started again in a few seconds is not to become not ready.
/// </summary>
/// <param name="At">
/// When it was written, in milliseconds of CLOCK_MONOTONIC: the same for all processes, whatever becomes of the wall clock.
/// </param>
/// <param name="Code">0: an ADD can be served. Else one of <see cref="CniErrorCode"/>.</param>
/// <param name="Message">The error's.</param>
/// <param name="Details">The error's; may be empty.</param>
public sealed record LastStatus(long At, int Code, string Message, string Details)
{
    /// <summary>
    /// Longer than an image is pulled for; short against the five minutes after which pods are evicted from a node that is not ready.
    /// </summary>
    public static readonly TimeSpan TrustedFor = TimeSpan.FromMinutes(2);

    public static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    public const string FileName = "status.json";

    /// <summary>Several times what it holds.</summary>
    private const int BytesMax = 4096;

    public static string PathBeside(string socket) => Path.Combine(Path.GetDirectoryName(socket) ?? "/", FileName);

    /// <param name="time">The system's clock, or a test's.</param>
    /// <param name="error">Why no ADD can be served; null if it can.</param>
    public static LastStatus Now(TimeProvider time, CniException? error) =>
        new(Clock(time), error?.Code ?? 0, error?.Message ?? "", error?.Details ?? "");

    /// <summary>Null without one that is to be believed: none was written, or the agent has been away for too long.</summary>
    public static LastStatus? Read(string path, TimeProvider time)
    {
        try
        {
            using var stream = File.OpenRead(path);
            var buffer = new byte[BytesMax];
            var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            var age = Parse(buffer.AsMemory(0, length)) is var status ? Clock(time) - status.At : 0;
            return age >= 0 && age <= TrustedFor.TotalMilliseconds ? status : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException
            or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            return null;
        }
    }

    public byte[] ToJson()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("at"u8, At);
            writer.WriteNumber("code"u8, Code);
            writer.WriteString("msg"u8, Message);
            writer.WriteString("details"u8, Details);
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private static LastStatus Parse(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        return new LastStatus(
            root.GetProperty("at").GetInt64(),
            root.GetProperty("code").GetInt32(),
            root.GetProperty("msg").GetString() ?? "",
            root.GetProperty("details").GetString() ?? "");
    }

    private static long Clock(TimeProvider time) => time.GetTimestamp() / (time.TimestampFrequency / 1000);
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ebpf.Cni.Protocol.Observe;

/// <summary>
/// The answers as JSON: camelCase, indented, since people read it too; what one end does not know is passed over by the other.
/// </summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(StatusAnswer))]
[JsonSerializable(typeof(ServicesAnswer))]
[JsonSerializable(typeof(ServiceAnswer))]
[JsonSerializable(typeof(EndpointsAnswer))]
[JsonSerializable(typeof(ConntrackAnswer))]
[JsonSerializable(typeof(IpcacheAnswer))]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(ProbeAnswer))]
public sealed partial class ObserveJson : JsonSerializerContext
{
    public static ObserveJson Wire { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        // What is absent has its default (members are settable for that: a source-generated reader makes absent init-only ones null); what
        // is null and must not be is no answer.
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        // It is never put into a page; messages shall stay readable.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}

/// <summary>Why there is no other answer.</summary>
public sealed record ErrorAnswer
{
    public string Error { get; set; } = "";
}

/// <summary>What a probe found; made by the CLI itself.</summary>
public sealed record ProbeAnswer
{
    public string Target { get; set; } = "";

    /// <summary>The address that answered; null if none did.</summary>
    public string? Address { get; set; }

    public double Milliseconds { get; set; }
    public string? Error { get; set; }
}

using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api.Schema;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>Reading requests and writing answers.</summary>
internal static class Bodies
{
    /// <exception cref="ApiException">400 for what is neither JSON nor (where announced) YAML or the API's protobuf.</exception>
    public static async Task<JsonNode?> ReadAsync(HttpRequest request)
    {
        if (request.ContentType?.StartsWith(ProtobufReader.MediaType, StringComparison.Ordinal) == true)
            return await ReadProtobufAsync(request);
        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        var text = await reader.ReadToEndAsync(request.HttpContext.RequestAborted);
        if (text.Length == 0)
            return null;
        try
        {
            return request.ContentType?.Contains("yaml", StringComparison.Ordinal) == true && !text.AsSpan().TrimStart().StartsWith("{")
                ? YamlManifests.Parse(text) is [var first, ..] ? first : null
                : JsonNode.Parse(text);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw ApiException.BadRequest("the object provided is unrecognized (must be of type JSON or YAML): " + e.Message);
        }
    }

    private static async Task<JsonNode?> ReadProtobufAsync(HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, request.HttpContext.RequestAborted);
        return body.Length == 0 ? null : ProtobufReader.Read(body.ToArray());
    }

    public static async Task<JsonObject> ReadObjectAsync(HttpRequest request) =>
        await ReadAsync(request) as JsonObject ?? throw ApiException.BadRequest("the body must be a JSON object");

    public static Task WriteAsync(HttpResponse response, JsonNode body, int status = 200) =>
        WriteAsync(response, Encoding.UTF8.GetBytes(body.ToJsonString()), status);

    public static async Task WriteAsync(HttpResponse response, ReadOnlyMemory<byte> body, int status = 200)
    {
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, response.HttpContext.RequestAborted);
    }
}

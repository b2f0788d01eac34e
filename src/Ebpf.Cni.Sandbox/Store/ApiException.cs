using System.Text.Json.Nodes;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>An error that the API answers as a Status object.</summary>
public sealed class ApiException(int code, string reason, string message, JsonObject? details = null) : Exception(message)
{
    public int Code { get; } = code;

    /// <summary>The machine-readable reason, for example "NotFound" or "Expired".</summary>
    public string Reason { get; } = reason;

    public JsonObject ToStatus()
    {
        var status = new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = Message,
            ["reason"] = Reason,
            ["code"] = Code,
        };
        if (details is not null)
            status["details"] = details.DeepClone();
        return status;
    }

    public static ApiException NotFound(ResourceType type, string name) =>
        new(404, "NotFound", $"{Named(type)} \"{name}\" not found", Details(type, name));

    public static ApiException NoSuchPath() => new(404, "NotFound", "the server could not find the requested resource");

    public static ApiException AlreadyExists(ResourceType type, string name) =>
        new(409, "AlreadyExists", $"{Named(type)} \"{name}\" already exists", Details(type, name));

    public static ApiException Conflict(ResourceType type, string name) =>
        new(409, "Conflict", $"Operation cannot be fulfilled on {Named(type)} \"{name}\": the object has been modified; please apply your "
            + $"changes to the latest version and try again", Details(type, name));

    public static ApiException Invalid(ResourceType type, string name, string field, string problem) =>
        new(422, "Invalid", $"{type.Kind} \"{name}\" is invalid: {field}: {problem}", new JsonObject
        {
            ["name"] = name,
            ["kind"] = type.Kind,
            ["group"] = type.Group,
            ["causes"] = new JsonArray(new JsonObject { ["reason"] = "FieldValueInvalid", ["message"] = problem, ["field"] = field }),
        });

    public static ApiException BadRequest(string message) => new(400, "BadRequest", message);

    /// <summary>The history no longer reaches back to the wanted resourceVersion: list again.</summary>
    public static ApiException Expired(string message) => new(410, "Expired", message);

    public static ApiException MethodNotAllowed() =>
        new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");

    private static string Named(ResourceType type) => type.QualifiedName;

    private static JsonObject Details(ResourceType type, string name) =>
        new() { ["name"] = name, ["group"] = type.Group, ["kind"] = type.Plural };
}

using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>status.conditions.</summary>
internal static class Conditions
{
    /// <summary>Sets a condition in place; the transition time moves only when the status does.</summary>
    public static void Set(JsonObject status, string type, bool value, string reason, string message, DateTimeOffset now)
    {
        if (status["conditions"] is not JsonArray conditions)
            status["conditions"] = conditions = [];
        var text = value ? "True" : "False";
        var condition = conditions.OfType<JsonObject>().FirstOrDefault(c => c.Text("type") == type);
        if (condition is null)
            conditions.Add((JsonNode)(condition = new JsonObject { ["type"] = type }));
        if (condition.Text("status") != text)
            condition["lastTransitionTime"] = ObjectStore.Timestamp(now);
        condition["status"] = text;
        condition["reason"] = reason;
        condition["message"] = message;
    }
}

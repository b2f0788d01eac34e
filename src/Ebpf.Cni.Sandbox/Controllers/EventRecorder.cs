using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>Writes v1 Events about objects; the same thing said again raises the count of the first.</summary>
public sealed class EventRecorder(ResourceService resources, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Uid, string Reason, string Message), string> _said = [];

    public void Normal(JsonObject about, string reason, string message, string source, string? host = null) =>
        Write(about, "Normal", reason, message, source, host);

    public void Warning(JsonObject about, string reason, string message, string source, string? host = null) =>
        Write(about, "Warning", reason, message, source, host);

    private void Write(JsonObject about, string type, string reason, string message, string source, string? host)
    {
        var now = ObjectStore.Timestamp(time.GetUtcNow());
        var ns = about.Namespace().Length > 0 ? about.Namespace() : "default";
        lock (_lock)
        {
            try
            {
                if (_said.TryGetValue((about.Uid(), reason, message), out var name)
                    && resources.Store.Get(ResourceTypes.Events, ns, name) is not null)
                {
                    resources.Store.Update(ResourceTypes.Events, ns, name, e =>
                    {
                        e["count"] = (e.Number("count") ?? 1) + 1;
                        e["lastTimestamp"] = now;
                        return e;
                    });
                    return;
                }

                var made = resources.Create(ResourceTypes.Events, ns, Document(about, ns, type, reason, message, source, host, now));
                _said[(about.Uid(), reason, message)] = made.Json.Name();
            }
            catch (ApiException)
            {
                // An event is a courtesy: the namespace is going, or someone deleted the event just now.
            }
        }
    }

    private static JsonObject Document(JsonObject about, string ns, string type, string reason, string message, string source, string? host,
        string now) => new()
    {
        ["metadata"] = new JsonObject { ["generateName"] = about.Name() + ".", ["namespace"] = ns },
        ["involvedObject"] = new JsonObject
        {
            ["apiVersion"] = about.Text("apiVersion"),
            ["kind"] = about.Text("kind"),
            ["name"] = about.Name(),
            ["namespace"] = about.Text("metadata", "namespace"),
            ["uid"] = about.Uid(),
            ["resourceVersion"] = about.Text("metadata", "resourceVersion"),
        },
        ["type"] = type,
        ["reason"] = reason,
        ["message"] = message,
        ["source"] = host is null ? new JsonObject { ["component"] = source } : new JsonObject { ["component"] = source, ["host"] = host },
        ["reportingComponent"] = source,
        ["reportingInstance"] = host ?? "",
        ["firstTimestamp"] = now,
        ["lastTimestamp"] = now,
        ["count"] = 1,
    };
}

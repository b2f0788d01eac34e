using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>ownerReferences: who controls whom.</summary>
internal static class Ownership
{
    public static JsonArray Reference(JsonObject owner) => new(new JsonObject
    {
        ["apiVersion"] = owner.Text("apiVersion"),
        ["kind"] = owner.Text("kind"),
        ["name"] = owner.Name(),
        ["uid"] = owner.Uid(),
        ["controller"] = true,
        ["blockOwnerDeletion"] = true,
    });

    public static JsonObject? Controller(JsonObject obj) =>
        obj.Items("metadata", "ownerReferences").FirstOrDefault(r => r.Flag("controller") == true);

    public static bool IsControlledBy(this JsonObject obj, JsonObject owner) => Controller(obj).Text("uid") == owner.Uid();
}

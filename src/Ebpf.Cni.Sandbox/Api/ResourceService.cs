using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Ebpf.Cni.Sandbox.Api.Admission;
using Ebpf.Cni.Sandbox.Api.Patching;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>
/// The verbs of the API on objects, with everything a kind means: defaults, checks, addresses, the split between spec and status, graceful
/// deletion of pods. The REST layer, the demo and tests all write through it.
/// </summary>
public sealed partial class ResourceService(ObjectStore store, IPNetwork serviceCidrV4, IPNetwork serviceCidrV6, TimeProvider? time = null)
{
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ServiceAdmission _services = new(serviceCidrV4, serviceCidrV6);

    public ObjectStore Store => store;

    /// <exception cref="ApiException">404.</exception>
    public StoredObject Get(ResourceType type, string ns, string name) =>
        store.Get(type, ns, name) ?? throw ApiException.NotFound(type, name);

    public StoredObject Create(ResourceType type, string ns, JsonObject json, bool dryRun = false)
    {
        ArgumentNullException.ThrowIfNull(type);
        var obj = json.Copy();
        Identify(type, ns, obj);
        if (type.Namespaced && store.Get(ResourceTypes.Namespaces, "", ns) is null)
            throw ApiException.NotFound(ResourceTypes.Namespaces, ns);
        if (dryRun || store.Get(type, ns, obj.Name()) is null)
            Admit(type, obj, null, dryRun);
        else
            throw ApiException.AlreadyExists(type, obj.Name());
        if (dryRun)
            return new StoredObject(obj, store.ResourceVersion);
        try
        {
            return store.Create(type, obj);
        }
        catch (ApiException)
        {
            Released(type, obj);
            throw;
        }
    }

    /// <summary>Replaces the object (or only its status), if <paramref name="json"/> carries the present resourceVersion or none.</summary>
    public StoredObject Update(ResourceType type, string ns, string name, JsonObject json, string? subresource = null, bool dryRun = false)
    {
        ArgumentNullException.ThrowIfNull(json);
        if (json.Name().Length > 0 && json.Name() != name)
            throw ApiException.BadRequest($"the name of the object ({json.Name()}) does not match the name on the URL ({name})");
        return Change(type, ns, name, _ => json.Copy(), subresource, json.Text("metadata", "resourceVersion"), dryRun);
    }

    public StoredObject Patch(ResourceType type, string ns, string name, PatchKind kind, JsonNode patch, string? subresource = null,
        bool dryRun = false)
    {
        ArgumentNullException.ThrowIfNull(patch);
        if (kind == PatchKind.Apply && subresource is null && store.Get(type, ns, name) is null)
            return Create(type, ns, Detach(patch), dryRun);
        var expected = kind == PatchKind.Json ? null : patch.Text("metadata", "resourceVersion");
        return Change(type, ns, name, present => Patched(kind, present, patch), subresource, expected, dryRun);
    }

    /// <summary>Creates the object, or merges it into what is there, as kubectl apply does.</summary>
    public StoredObject Apply(JsonObject manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var type = ResourceTypes.FindKind(manifest.Text("apiVersion") ?? "", manifest.Text("kind") ?? "")
            ?? throw ApiException.BadRequest($"no kind \"{manifest.Text("kind")}\" in \"{manifest.Text("apiVersion")}\"");
        var ns = type.Namespaced ? manifest.Text("metadata", "namespace") ?? "default" : "";
        return Patch(type, ns, manifest.Name(), PatchKind.Apply, manifest);
    }

    /// <summary>
    /// Deletes the object. A pod that runs on a node is only marked: its kubelet stops it and removes it. <paramref name="graceSeconds"/>
    /// overrides the pod's own grace period, 0 removes at once; <paramref name="onlyUid"/> is a precondition (409 when another object has
    /// taken the name). Returns the object's last or marked state.
    /// </summary>
    public StoredObject Delete(ResourceType type, string ns, string name, long? graceSeconds = null, string? onlyUid = null)
    {
        var present = Get(type, ns, name);
        if (onlyUid is not null && onlyUid != present.Json.Uid())
            throw ApiException.Conflict(type, name);
        if (ReferenceEquals(type, ResourceTypes.Pods) && present.Json.Text("spec", "nodeName") is not null)
        {
            var grace = graceSeconds ?? present.Json.Number("spec", "terminationGracePeriodSeconds") ?? 30;
            if (grace > 0 && present.Json.Text("status", "phase") is not ("Succeeded" or "Failed"))
                return MarkDeleted(type, ns, name, grace);
        }

        if (ReferenceEquals(type, ResourceTypes.Namespaces))
            EmptyNamespace(name);
        var gone = store.Remove(type, ns, name) ?? throw ApiException.NotFound(type, name);
        Released(type, gone.Json);
        return gone;
    }

    private StoredObject MarkDeleted(ResourceType type, string ns, string name, long grace) => store.Update(type, ns, name, pod =>
    {
        var meta = pod.Child("metadata");
        if (meta.Number("deletionGracePeriodSeconds") <= grace)
            return null;
        meta["deletionTimestamp"] = ObjectStore.Timestamp(_time.GetUtcNow() + TimeSpan.FromSeconds(grace));
        meta["deletionGracePeriodSeconds"] = grace;
        return pod;
    });

    private void EmptyNamespace(string ns)
    {
        foreach (var type in ResourceTypes.All.Where(t => t.Namespaced))
        {
            foreach (var obj in store.List(type, ns))
            {
                try
                {
                    Delete(type, ns, obj.Json.Name());
                }
                catch (ApiException e) when (e.Code == 404)
                {
                    // Someone else removed it between the list and now: that is what was wanted.
                }
            }
        }
    }

    private StoredObject Change(ResourceType type, string ns, string name, Func<JsonObject, JsonObject> change, string? subresource,
        string? expectedVersion, bool dryRun)
    {
        JsonObject? result = null;
        var stored = store.Update(type, ns, name, present =>
        {
            var next = Keep(type, present, change(present.Copy()), subresource);
            if (subresource is null && !JsonNode.DeepEquals(next, present))
                Admit(type, next, present, dryRun);
            else if (subresource == "status" && ReferenceEquals(type, ResourceTypes.Services))
                ServiceAdmission.OnStatus(next);
            result = next;
            return dryRun ? null : next;
        }, expectedVersion);
        return dryRun && result is not null ? new StoredObject(result, stored.ResourceVersion) : stored;
    }

    // What a writer may not change is taken from the present state: identity always, status or all but status as the endpoint says.
    private static JsonObject Keep(ResourceType type, JsonObject present, JsonObject next, string? subresource)
    {
        if (subresource == "status")
        {
            var onlyStatus = present.Copy();
            onlyStatus["status"] = next["status"]?.DeepClone();
            return onlyStatus;
        }

        next["apiVersion"] = type.ApiVersion;
        next["kind"] = type.Kind;
        var meta = next.Child("metadata");
        foreach (var field in (string[])["name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation",
            "deletionTimestamp", "deletionGracePeriodSeconds"])
        {
            if (present["metadata"]?[field] is { } value)
                meta[field] = value.DeepClone();
            else
                meta.Remove(field);
        }

        Trim(meta);
        if (type.HasStatus && present["status"] is { } status)
            next["status"] = status.DeepClone();
        else if (type.HasStatus)
            next.Remove("status");
        return next;
    }

    // The API omits what is empty: kubectl diff would show an empty map, which its patch adds, as a change.
    private static void Trim(JsonObject meta)
    {
        meta.Remove("managedFields");
        foreach (var field in (string[])["labels", "annotations", "finalizers", "ownerReferences"])
            if (meta[field] is JsonObject { Count: 0 } or JsonArray { Count: 0 })
                meta.Remove(field);
    }

    private static JsonObject Patched(PatchKind kind, JsonObject present, JsonNode patch) => (kind, patch) switch
    {
        (PatchKind.Json, JsonArray operations) => JsonPatch.Apply(present, operations),
        (PatchKind.Merge, JsonObject merge) => MergePatch.Apply(present, merge),
        (PatchKind.StrategicMerge or PatchKind.Apply, JsonObject merge) => StrategicMergePatch.Apply(present, merge),
        _ => throw ApiException.BadRequest("the patch does not have the shape that its content type announces"),
    };

    private static JsonObject Detach(JsonNode patch) =>
        patch is JsonObject obj ? obj.Copy() : throw ApiException.BadRequest("not an object");

    private static void Identify(ResourceType type, string ns, JsonObject obj)
    {
        var meta = obj.Child("metadata");
        Trim(meta);
        if (type.Namespaced && (meta.Text("namespace") ?? ns) != ns)
            throw ApiException.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        if (type.Namespaced)
            meta["namespace"] = ns;
        if (meta.Text("name") is null && meta.Text("generateName") is { } prefix)
            meta["name"] = prefix + ObjectStore.RandomSuffix();
        if (!NamePattern().IsMatch(obj.Name()))
            throw ApiException.Invalid(type, obj.Name(), "metadata.name",
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'");
    }

    private void Admit(ResourceType type, JsonObject obj, JsonObject? previous, bool dryRun)
    {
        if (ReferenceEquals(type, ResourceTypes.Services) && previous is null)
            _services.OnCreate(obj, keep: !dryRun);
        else if (ReferenceEquals(type, ResourceTypes.Services))
            _services.OnUpdate(previous!, obj, keep: !dryRun);
        else if (ReferenceEquals(type, ResourceTypes.Pods) && previous is null)
            WorkloadAdmission.OnPod(obj);
        else if (ReferenceEquals(type, ResourceTypes.Pods))
            WorkloadAdmission.OnPodUpdate(previous!, obj);
        else if (ReferenceEquals(type, ResourceTypes.Deployments) || ReferenceEquals(type, ResourceTypes.ReplicaSets)
            || ReferenceEquals(type, ResourceTypes.DaemonSets))
            WorkloadAdmission.OnWorkload(type, obj, previous);
        else if (ReferenceEquals(type, ResourceTypes.Namespaces))
            obj.Child("status").Default("phase", "Active");
    }

    private void Released(ResourceType type, JsonObject obj)
    {
        if (ReferenceEquals(type, ResourceTypes.Services))
            _services.OnDelete(obj);
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
    private static partial Regex NamePattern();
}

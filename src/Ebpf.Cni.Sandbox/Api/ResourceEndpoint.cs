using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api.Patching;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Api.Tables;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>The HTTP verbs on resources.</summary>
internal sealed class ResourceEndpoint(
    ResourceService resources, WatchStream watches, IPodLogs logs, IPodStreams streams, TimeProvider time)
{
    private readonly TableCatalog _tables = new(time);
    private readonly ExecEndpoint _exec = new(streams);
    private readonly PortForwardEndpoint _ports = new(streams);

    public Task HandleAsync(HttpContext context, ResourceRequest target, CancellationToken stopping)
    {
        var request = context.Request;
        return (request.Method, target) switch
        {
            ("GET", { Name: null }) when IsWatch(request) => watches.RunAsync(context, Watch(request, target), stopping),
            ("GET", { Name: null }) => ListAsync(context, target),
            ("GET", { Subresource: null or "status" }) =>
                AnswerAsync(context, target, resources.Get(target.Type, target.Namespace, target.Name!).Json),
            ("GET", { Subresource: "log" }) when IsPod(target) => LogAsync(context, target),
            ("GET" or "POST", { Subresource: "exec" }) when IsPod(target) => _exec.RunAsync(context, Pod(target), stopping),
            ("GET" or "POST", { Subresource: "portforward" }) when IsPod(target) => _ports.RunAsync(context, Pod(target), stopping),
            ("POST", { Name: null }) => CreateAsync(context, target),
            ("PUT", { Subresource: null or "status" }) => UpdateAsync(context, target),
            ("PATCH", { Subresource: null or "status" }) => PatchAsync(context, target),
            ("GET" or "PUT" or "PATCH", { Subresource: "scale" }) when target.Type.HasScale => ScaleAsync(context, target),
            ("DELETE", { Name: null }) => DeleteCollectionAsync(context, target),
            ("DELETE", { Subresource: null }) => DeleteAsync(context, target),
            (_, { Subresource: not (null or "status" or "scale" or "log") }) => throw ApiException.NoSuchPath(),
            _ => throw ApiException.MethodNotAllowed(),
        };
    }

    public static bool IsWatch(HttpRequest request) => request.Query["watch"].ToString() is "true" or "1";

    private static bool DryRun(HttpRequest request) => request.Query["dryRun"].ToString() == "All";

    private static Func<StoredObject, bool> Filter(HttpRequest request, ResourceRequest target)
    {
        var labels = LabelSelector.Parse(request.Query["labelSelector"]);
        var fields = FieldSelector.Parse(request.Query["fieldSelector"]);
        var prefix = target.Namespace.Length > 0 ? target.Namespace + "/" : "";
        return o => o.Key.StartsWith(prefix, StringComparison.Ordinal) && labels.Matches(o.Json) && fields.Matches(o.Json);
    }

    private WatchParameters Watch(HttpRequest request, ResourceRequest target) => new(
        target.Type,
        Filter(request, target),
        request.Query["resourceVersion"],
        request.Query["allowWatchBookmarks"].ToString() is "true" or "1",
        request.Query["sendInitialEvents"].ToString() is "true" or "1",
        TimeSpan.FromSeconds(int.TryParse(request.Query["timeoutSeconds"], CultureInfo.InvariantCulture, out var seconds) && seconds > 0
            ? seconds : Random.Shared.Next(1800, 3600)),
        WantsTable(request) ? _tables.For(target.Type) : null,
        request.Query["includeObject"]);

    private async Task ListAsync(HttpContext context, ResourceRequest target)
    {
        var query = context.Request.Query;
        _ = int.TryParse(query["limit"], CultureInfo.InvariantCulture, out var limit);
        CheckVersion(query["resourceVersion"], query["resourceVersionMatch"]);
        var page = query["continue"].ToString() is { Length: > 0 } token
            ? resources.Store.NextPage(token, limit)
            : resources.Store.ListPage(target.Type, target.Namespace, Filter(context.Request, target), limit);
        var metadata = new JsonObject { ["resourceVersion"] = page.ResourceVersion.ToString(CultureInfo.InvariantCulture) };
        if (page.Continue is not null)
            (metadata["continue"], metadata["remainingItemCount"]) = (page.Continue, page.Remaining);
        if (WantsTable(context.Request))
            await Bodies.WriteAsync(context.Response,
                _tables.For(target.Type).Render(page.Items.Select(i => i.Json), metadata, query["includeObject"]));
        else if (Wants(context.Request, "PartialObjectMetadataList"))
            await Bodies.WriteAsync(context.Response, PartialList(page.Items, metadata));
        else
            await Bodies.WriteAsync(context.Response, EncodeList(target.Type, page.Items, metadata));
    }

    // A list at an exact version is only at hand when it is the present one; "not older than" and 0 are always satisfied by it.
    private void CheckVersion(string? version, string? match)
    {
        if (!long.TryParse(version, CultureInfo.InvariantCulture, out var wanted) || wanted == 0)
            return;
        var present = resources.Store.ResourceVersion;
        if (wanted > present)
            throw new ApiException(504, "Timeout", $"Too large resource version: {wanted}, current: {present}");
        if (match == "Exact" && wanted < present)
            throw ApiException.Expired($"The provided resource version {wanted} is not available any more.");
    }

    private static byte[] EncodeList(ResourceType type, IReadOnlyList<StoredObject> items, JsonObject metadata)
    {
        using var buffer = new MemoryStream();
        buffer.Write(Encoding.UTF8.GetBytes(
            $"{{\"kind\":\"{type.Kind}List\",\"apiVersion\":\"{type.ApiVersion}\",\"metadata\":{metadata.ToJsonString()},\"items\":["));
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
                buffer.WriteByte((byte)',');
            buffer.Write(items[i].Encoded.Span);
        }

        buffer.Write("]}"u8);
        return buffer.ToArray();
    }

    private static JsonObject PartialList(IReadOnlyList<StoredObject> items, JsonObject metadata) => new()
    {
        ["kind"] = "PartialObjectMetadataList",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = metadata,
        ["items"] = items.Select(i => (JsonNode)TableDefinition.PartialMetadata(i.Json)).ToJsonArray(),
    };

    private Task AnswerAsync(HttpContext context, ResourceRequest target, JsonObject json, int status = 200)
    {
        if (WantsTable(context.Request))
            return Bodies.WriteAsync(context.Response,
                _tables.For(target.Type).Render([json], null, context.Request.Query["includeObject"]), status);
        return Bodies.WriteAsync(context.Response,
            Wants(context.Request, "PartialObjectMetadata") ? TableDefinition.PartialMetadata(json) : json, status);
    }

    private async Task CreateAsync(HttpContext context, ResourceRequest target)
    {
        var body = await Bodies.ReadObjectAsync(context.Request);
        if (body.Text("kind") is { } kind && kind != target.Type.Kind)
            throw ApiException.BadRequest($"{kind} in version \"{body.Text("apiVersion")}\" cannot be handled as a {target.Type.Kind}");
        await AnswerAsync(context, target, resources.Create(target.Type, target.Namespace, body, DryRun(context.Request)).Json, 201);
    }

    private async Task UpdateAsync(HttpContext context, ResourceRequest target)
    {
        var body = await Bodies.ReadObjectAsync(context.Request);
        await AnswerAsync(context, target,
            resources.Update(target.Type, target.Namespace, target.Name!, body, target.Subresource, DryRun(context.Request)).Json);
    }

    private async Task PatchAsync(HttpContext context, ResourceRequest target)
    {
        var kind = Kind(context.Request);
        var body = await Bodies.ReadAsync(context.Request) ?? throw ApiException.BadRequest("a patch without a body");
        var created = kind == PatchKind.Apply && resources.Store.Get(target.Type, target.Namespace, target.Name!) is null;
        var result = resources.Patch(target.Type, target.Namespace, target.Name!, kind, body, target.Subresource, DryRun(context.Request));
        await AnswerAsync(context, target, result.Json, created ? 201 : 200);
    }

    private static PatchKind Kind(HttpRequest request) => request.ContentType?.Split(';')[0].Trim() switch
    {
        "application/merge-patch+json" => PatchKind.Merge,
        "application/strategic-merge-patch+json" => PatchKind.StrategicMerge,
        "application/json-patch+json" => PatchKind.Json,
        "application/apply-patch+yaml" => PatchKind.Apply,
        var other => throw new ApiException(415, "UnsupportedMediaType", $"the body of the request was in an unknown format: {other}"),
    };

    private async Task ScaleAsync(HttpContext context, ResourceRequest target)
    {
        var obj = resources.Get(target.Type, target.Namespace, target.Name!);
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            var body = await Bodies.ReadAsync(context.Request) ?? throw ApiException.BadRequest("no body");
            var present = ScaleDocument.Of(obj.Json);
            var next = HttpMethods.IsPut(context.Request.Method) ? body : (Kind(context.Request), body) switch
            {
                (PatchKind.Json, JsonArray operations) => JsonPatch.Apply(present, operations),
                (_, JsonObject merge) => MergePatch.Apply(present, merge),
                _ => throw ApiException.BadRequest("not a patch of a Scale"),
            };
            var replicas = next.Number("spec", "replicas") ?? 0;
            var patch = new JsonObject { ["spec"] = new JsonObject { ["replicas"] = replicas } };
            if (HttpMethods.IsPut(context.Request.Method) && body.Text("metadata", "resourceVersion") is { } version)
                patch["metadata"] = new JsonObject { ["resourceVersion"] = version };
            obj = resources.Patch(target.Type, target.Namespace, target.Name!, PatchKind.Merge, patch, null, DryRun(context.Request));
        }

        await Bodies.WriteAsync(context.Response, ScaleDocument.Of(obj.Json));
    }

    private async Task DeleteAsync(HttpContext context, ResourceRequest target)
    {
        var options = await Bodies.ReadAsync(context.Request);
        long? grace = int.TryParse(context.Request.Query["gracePeriodSeconds"], CultureInfo.InvariantCulture, out var seconds)
            ? seconds : options.Number("gracePeriodSeconds");
        if (DryRun(context.Request) || options.Texts("dryRun").Contains("All"))
        {
            await AnswerAsync(context, target, resources.Get(target.Type, target.Namespace, target.Name!).Json);
            return;
        }

        var gone = resources.Delete(target.Type, target.Namespace, target.Name!, grace, options.Text("preconditions", "uid"));
        if (IsPod(target))
            await AnswerAsync(context, target, gone.Json);
        else
            await Bodies.WriteAsync(context.Response, Success(target, gone.Json));
    }

    private async Task DeleteCollectionAsync(HttpContext context, ResourceRequest target)
    {
        var options = await Bodies.ReadAsync(context.Request);
        var filter = Filter(context.Request, target);
        var items = resources.Store.List(target.Type, target.Namespace).Where(filter).ToList();
        foreach (var item in items)
            resources.Delete(target.Type, item.Json.Namespace(), item.Json.Name(), options.Number("gracePeriodSeconds"));
        var metadata = new JsonObject { ["resourceVersion"] = resources.Store.ResourceVersion.ToString(CultureInfo.InvariantCulture) };
        await Bodies.WriteAsync(context.Response, EncodeList(target.Type, items, metadata));
    }

    private static JsonObject Success(ResourceRequest target, JsonObject gone) => new()
    {
        ["kind"] = "Status",
        ["apiVersion"] = "v1",
        ["metadata"] = new JsonObject(),
        ["status"] = "Success",
        ["details"] = new JsonObject { ["name"] = target.Name, ["group"] = target.Type.Group, ["kind"] = target.Type.Plural,
            ["uid"] = gone.Uid() },
    };

    private Task LogAsync(HttpContext context, ResourceRequest target)
    {
        var pod = Pod(target);
        return logs.WriteAsync(pod, context, LogRequest.From(context.Request, pod));
    }

    private static bool IsPod(ResourceRequest target) => ReferenceEquals(target.Type, ResourceTypes.Pods);

    private JsonObject Pod(ResourceRequest target) => resources.Get(target.Type, target.Namespace, target.Name!).Json;

    private static bool WantsTable(HttpRequest request) => Wants(request, "Table");

    // The first media type of the Accept header that is served decides.
    private static bool Wants(HttpRequest request, string kind)
    {
        foreach (var accepted in request.Headers.Accept.ToString().Split(','))
        {
            var parameters = accepted.Split(';', StringSplitOptions.TrimEntries);
            if (parameters[0] is not ("application/json" or "*/*"))
                continue;
            return parameters.Contains("as=" + kind) && !parameters.Contains("v=v1beta1");
        }

        return false;
    }
}

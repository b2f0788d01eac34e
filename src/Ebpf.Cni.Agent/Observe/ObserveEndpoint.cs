using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Sync.Apply;
using Microsoft.AspNetCore.Connections.Features;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>
/// What ecni asks, over the unix socket alone: the answers show which pods talk to each other. Read from the kernel's tables when it is
/// asked; names come from what the agent knows. One reader at a time: asking again and again costs no more than one processor.
/// </summary>
public sealed class ObserveEndpoint(DataplaneHolder dataplane, StatusReader status, TableReader tables) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1, 1);

    /// <summary>The connection came by the unix socket.</summary>
    public static bool IsFor(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Features.Get<IConnectionSocketFeature>()?.Socket.AddressFamily == AddressFamily.Unix;
    }

    public async Task HandleAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var cancel = context.RequestAborted;
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            await FailAsync(context, StatusCodes.Status405MethodNotAllowed, "only GET is answered here");
            return;
        }

        // Written when the next one may read already: a slow reader keeps no other request waiting.
        await (await OneByOneAsync(context, cancel))();
    }

    private async Task<Func<Task>> OneByOneAsync(HttpContext context, CancellationToken cancel)
    {
        await _one.WaitAsync(cancel);
        try
        {
            // Off the thread that reads requests: a walk through a large table takes a while.
            return await Task.Run(() => Answer(context), cancel);
        }
        catch (QueryException e)
        {
            return () => FailAsync(context, StatusCodes.Status400BadRequest, e.Message);
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            return () => FailAsync(context, StatusCodes.Status500InternalServerError, e.Message);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    /// <summary>Reads all there is to read; what is returned only writes.</summary>
    private Func<Task> Answer(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        var json = ObserveJson.Wire;
        if (path == ObservePaths.Status)
            return Good(context, status.Read(), json.StatusAnswer);
        if (!IsKnown(path))
            return () => FailAsync(context, StatusCodes.Status404NotFound, $"no resource at {path}");
        if (!dataplane.Opened.IsCompletedSuccessfully)
            return () => FailAsync(context, StatusCodes.Status503ServiceUnavailable,
                "the agent has not opened the kernel's tables yet (ecni status says more)");
        var (kernel, query) = (dataplane.Opened.Result, ObserveQuery.Of(context.Request.Query));
        return path switch
        {
            ObservePaths.Services => Good(context, tables.Services(kernel, query), json.ServicesAnswer),
            ObservePaths.Endpoints => Good(context, tables.Endpoints(kernel, query), json.EndpointsAnswer),
            ObservePaths.Conntrack => Good(context, tables.Connections(kernel, query), json.ConntrackAnswer),
            ObservePaths.Ipcache => Good(context, tables.Prefixes(kernel, query), json.IpcacheAnswer),
            _ => Service(context, kernel, path),
        };
    }

    private Func<Task> Service(HttpContext context, NodeDataplane kernel, string path)
    {
        var name = NameIn(path)!.Value;
        return tables.Service(kernel, name) is { } found
            ? Good(context, found, ObserveJson.Wire.ServiceAnswer)
            : () => FailAsync(context, StatusCodes.Status404NotFound, ServiceAnswer.Unknown($"{name}"));
    }

    private static bool IsKnown(string path) =>
        path is ObservePaths.Services or ObservePaths.Endpoints or ObservePaths.Conntrack or ObservePaths.Ipcache
            || NameIn(path) is not null;

    private static ObjectName? NameIn(string path) =>
        path.StartsWith(ObservePaths.Services + "/", StringComparison.Ordinal)
        && path[(ObservePaths.Services.Length + 1)..].Split('/') is [{ Length: > 0 } ns, { Length: > 0 } name]
            ? new ObjectName(ns, name)
            : null;

    private static Func<Task> Good<T>(HttpContext context, T answer, JsonTypeInfo<T> type) => () => WriteAsync(context, answer, type);

    private static Task FailAsync(HttpContext context, int code, string message)
    {
        context.Response.StatusCode = code;
        return WriteAsync(context, new ErrorAnswer { Error = message }, ObserveJson.Wire.ErrorAnswer);
    }

    private static async Task WriteAsync<T>(HttpContext context, T answer, JsonTypeInfo<T> type)
    {
        context.Response.ContentType = "application/json";
        await JsonSerializer.SerializeAsync(context.Response.Body, answer, type, context.RequestAborted);
        await context.Response.Body.WriteAsync("\n"u8.ToArray(), context.RequestAborted);
    }
}

using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Ebpf.Cni.Agent.Health;

/// <summary>
/// Bounds the connections of each port that the web server listens at by a <see cref="ConnectionTable"/> of its own. The server's own
/// limit refuses every new connection when it is reached: some hundred idle connections of a pod would keep the kubelet's probes out.
/// </summary>
internal static class BoundedListener
{
    public const int ConnectionsMax = 256;

    public static void Bound(ListenOptions listen)
    {
        var table = new ConnectionTable(ConnectionsMax);
        listen.Use(next => async connection =>
        {
            var address = (connection.RemoteEndPoint as IPEndPoint)?.Address;
            using var entry = table.Enter(
                address, () => connection.Abort(new ConnectionAbortedException("another connection takes its place")));
            connection.Features.Set(entry);
            await next(connection);
        });
    }

    /// <summary>Marks the connection of a request as one that waits for an answer.</summary>
    public static async Task Answering(HttpContext context, RequestDelegate next)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(next);
        // Features of the connection show through those of the request.
        var entry = context.Features.Get<ConnectionTable.Entry>();
        entry?.Begin();
        try
        {
            await next(context);
        }
        finally
        {
            entry?.End();
        }
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Ebpf.Cni.Sandbox.Store;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Ebpf.Cni.Sandbox.Api.Streaming;

/// <summary>
/// The WebSocket that a streaming request asks for. The handshake (RFC 6455, section 4.2) is done here, because ASP.NET's refuses the slash
/// in kubectl's SPDY/3.1+portforward.k8s.io.
/// </summary>
internal static class StreamSocket
{
    private const string Suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    /// <summary>The first of the protocols that the client speaks too.</summary>
    /// <exception cref="ApiException">400: the client wants no WebSocket (kubectl before 1.31), or none of the protocols.</exception>
    public static string Choose(HttpContext context, IEnumerable<string> protocols)
    {
        var headers = context.Request.Headers;
        // Browsers alone send it, and let any page open a WebSocket to an address of this machine.
        if (headers.Origin.Count > 0)
            throw ApiException.BadRequest("the sandbox streams to no web page");
        if (!headers.Upgrade.ToString().Equals("websocket", StringComparison.OrdinalIgnoreCase) || headers.SecWebSocketKey.Count != 1)
            throw ApiException.BadRequest("the sandbox streams by WebSocket alone, as kubectl 1.31 and later ask for it");
        return protocols.FirstOrDefault(headers.GetCommaSeparatedValues(HeaderNames.SecWebSocketProtocol).Contains)
            ?? throw ApiException.BadRequest($"the sandbox speaks {string.Join(" and ", protocols)} on a WebSocket");
    }

    public static async Task<WebSocket> AcceptAsync(HttpContext context, string protocol)
    {
        var upgrade = context.Features.Get<IHttpUpgradeFeature>();
        if (upgrade is not { IsUpgradableRequest: true })
            throw ApiException.BadRequest("a WebSocket begins as HTTP/1.1");
        var headers = context.Response.Headers;
        headers.Connection = "Upgrade";
        headers.Upgrade = "websocket";
        headers.SecWebSocketAccept = Accept(context.Request.Headers.SecWebSocketKey.ToString());
        headers.SecWebSocketProtocol = protocol;
        return WebSocket.CreateFromStream(await upgrade.UpgradeAsync(), new WebSocketCreationOptions { IsServer = true });
    }

    [SuppressMessage("Security", "CA5350", Justification =
        "the protocol's choice: it shows that the server speaks it, and protects nothing")]
    private static string Accept(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + Suffix)));
}

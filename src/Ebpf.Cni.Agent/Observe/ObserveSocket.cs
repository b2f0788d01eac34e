using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Agent.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>
/// Where Kestrel listens for <see cref="ObserveEndpoint"/>: a unix socket that only root may use, from its first moment on.
/// </summary>
internal static class ObserveSocket
{
    /// <summary>
    /// For Kestrel, which listens on what this returns. No process can connect before that, or find the socket before the rename: it is
    /// never open to others. A predecessor's is replaced in one step; there is no other agent, since the run directory is locked.
    /// </summary>
    public static Socket Bind(EndPoint endpoint)
    {
        if (endpoint is not UnixDomainSocketEndPoint)
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        var path = endpoint.ToString()!;
        var temporary = Path.ChangeExtension(path, ".new");
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, AgentLock.OwnerOnly);
            File.Delete(temporary);
            socket.Bind(new UnixDomainSocketEndPoint(temporary));
            File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.Move(temporary, path, overwrite: true);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

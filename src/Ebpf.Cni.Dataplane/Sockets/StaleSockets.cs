using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Sockets;

namespace Ebpf.Cni.Dataplane.Sockets;

/// <summary>The result for sockets of removed backends.</summary>
/// <param name="Destroyed">Sockets destroyed; their processes get ECONNABORTED.</param>
/// <param name="Errors">Namespaces that could not be looked into; one that is gone is no error.</param>
public sealed record StaleSocketReport(int Destroyed, ImmutableArray<ApplyError> Errors);

/// <summary>
/// Connected UDP sockets that a socket hook translated to a backend that was removed. Without this they would never notice: no packet of
/// theirs meets a program of ours again, and a UDP socket notices nothing by itself. They are aborted, so that the process connects again.
/// Sockets that no hook translated are left alone, whatever they are connected to: the proof is the socket's own storage.
/// </summary>
/// <remarks>
/// The kernel's list of connected sockets leads to the storage, not a table beside it. A table has a size: as an LRU, short sockets push
/// out what long ones need; as a hash it is full one day, and keeps entries whose end it did not see (sockets of the kernel, of a time
/// without hooks). The list costs a look into every namespace, for backends that sockets were connected to or not.
/// </remarks>
public sealed class StaleSockets : IDisposable
{
    private readonly SocketFinder? _finder;
    private readonly bool _possible;
    private readonly NetworkNamespace _own;

    /// <param name="finder">The program that reads a socket's storage; null where sockets are not translated.</param>
    /// <param name="possible">The kernel can list and destroy UDP sockets.</param>
    internal StaleSockets(BpfProgram? finder, bool possible)
    {
        _finder = finder is null ? null : new SocketFinder(finder);
        _possible = possible && finder is not null;
        _own = NetworkNamespace.Current();
    }

    /// <summary>Paths of the pods' network namespaces; that in which the dataplane was opened is always included.</summary>
    public Func<IEnumerable<string>> Namespaces { get; set; } = () => [];

    /// <param name="gone">As <see cref="ApplyResult.RemovedBackends"/> has them; only UDP is looked at.</param>
    public StaleSocketReport Destroy(IReadOnlyCollection<RemovedBackend> gone)
    {
        ArgumentNullException.ThrowIfNull(gone);
        var backends = gone.Where(g => g.Protocol == IpProtocol.Udp).ToLookup(g => (g.Addr, g.Port), g => g.ServiceId);
        var destroyed = 0;
        var errors = backends.Count == 0 ? [] : Everywhere(sockets => destroyed += DestroyIn(sockets, backends));
        return new StaleSocketReport(destroyed, errors);
    }

    /// <summary>All backends that connected sockets were led to. Namespaces that cannot be looked into have none.</summary>
    internal IEnumerable<RemovedBackend> Reached()
    {
        var found = new HashSet<RemovedBackend>();
        if (_finder is not { } finder)
            return found;
        Everywhere(sockets =>
        {
            foreach (var socket in sockets.List(SocketProtocol.Udp, SocketState.Established))
            {
                var (addr, port) = Peer(socket.Remote);
                if (finder.ServiceOf(socket) is > 0 and var service)
                    found.Add(new RemovedBackend(service, addr, port, IpProtocol.Udp));
            }
        });
        return found;
    }

    public void Dispose()
    {
        _finder?.Dispose();
        _own.Dispose();
    }

    /// <summary>
    /// Of sockets with the same two ends (SO_REUSEPORT) one hides the others until it is gone: hence again, as long as some go.
    /// </summary>
    private int DestroyIn(SocketDiagnostics sockets, ILookup<(Addr, U16Be), uint> gone)
    {
        var destroyed = 0;
        for (var more = true; more;)
        {
            more = false;
            foreach (var socket in sockets.List(SocketProtocol.Udp, SocketState.Established))
            {
                var services = gone[Peer(socket.Remote)];
                if (!services.Any() || _finder!.ServiceOf(socket) is not (> 0 and var service) || !services.Contains(service)
                    || !sockets.Destroy(socket))
                    continue;
                destroyed++;
                more = true;
            }
        }
        return destroyed;
    }

    /// <summary>On a thread inside of each namespace.</summary>
    private ImmutableArray<ApplyError> Everywhere(Action<SocketDiagnostics> work)
    {
        var errors = ImmutableArray.CreateBuilder<ApplyError>();
        if (!_possible)
            return [];
        void In(NetworkNamespace place) => place.Run(() =>
        {
            using var sockets = SocketDiagnostics.Open();
            work(sockets);
        });
        Try(errors, "the node's network namespace", () => In(_own));
        foreach (var path in Namespaces().Distinct(StringComparer.Ordinal))
            Try(errors, path, () =>
            {
                using var pod = NetworkNamespace.Open(path);
                In(pod);
            });
        return errors.DrainToImmutable();
    }

    private static (Addr Addr, U16Be Port) Peer(IPEndPoint remote) => (Addr.From(remote.Address), U16Be.FromHost((ushort)remote.Port));

    private static void Try(ImmutableArray<ApplyError>.Builder errors, string where, Action work)
    {
        try
        {
            work();
        }
        catch (KernelException e) when (e.Errno == Errno.ENOENT)
        {
            // the pod has gone meanwhile
        }
        catch (KernelException e)
        {
            errors.Add(new ApplyError($"socket scan of {where}", e));
        }
    }
}

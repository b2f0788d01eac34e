using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Sockets;

namespace Ebpf.Cni.Dataplane.Sockets;

/// <summary>What became of sockets whose backend is gone.</summary>
/// <param name="Destroyed">They told their processes (ECONNABORTED).</param>
/// <param name="Errors">Namespaces that could not be looked into; one that is gone is no error.</param>
public sealed record StaleSocketReport(int Destroyed, ImmutableArray<ApplyError> Errors);

/// <summary>
/// Connected UDP sockets that a socket hook led to a backend which serves no more. Nothing would ever tell them: no packet of theirs meets a program of ours again, and a UDP socket notices
/// nothing by itself. They are aborted, so that the process connects again. Sockets that no hook translated are left alone, whatever they are connected to:
/// the proof is an entry of <c>ebc_sock_rev_v1</c> with the socket's own cookie and the backend. (That table is an LRU: a socket whose entry had to make room is left alone too.)
/// </summary>
public sealed class StaleSockets : IDisposable
{
    private readonly BpfMap? _translated;
    private readonly bool _possible;
    private readonly NetworkNamespace _own;

    /// <param name="translated">ebc_sock_rev_v1, owned; null where no socket was ever translated.</param>
    /// <param name="possible">The kernel can abort sockets of others.</param>
    internal StaleSockets(BpfMap? translated, bool possible)
    {
        _translated = translated;
        _possible = possible && translated is not null;
        _own = NetworkNamespace.Current();
    }

    /// <param name="namespaces">Paths of the pods' network namespaces; that in which the dataplane was opened is always included.</param>
    /// <param name="gone">As <see cref="ApplyResult.GoneBackends"/> has them; only UDP is looked at.</param>
    public StaleSocketReport Destroy(IEnumerable<string> namespaces, IReadOnlyCollection<GoneBackend> gone)
    {
        ArgumentNullException.ThrowIfNull(namespaces);
        ArgumentNullException.ThrowIfNull(gone);
        var backends = gone.Where(g => g.Protocol == IpProtocol.Udp).ToLookup(g => (g.Addr, g.Port), g => g.ServiceId);
        // One look into the table instead of one into every namespace: most backends that go were nobody's.
        if (!_possible || backends.Count == 0 || !Reached().Any(r => backends[(r.Addr, r.Port)].Contains(r.ServiceId)))
            return new StaleSocketReport(0, []);
        var errors = ImmutableArray.CreateBuilder<ApplyError>();
        var destroyed = Try(errors, "the node's network namespace", () => DestroyIn(_own, backends));
        foreach (var path in namespaces.Distinct(StringComparer.Ordinal))
        {
            destroyed += Try(errors, path, () =>
            {
                using var pod = NetworkNamespace.Open(path);
                return DestroyIn(pod, backends);
            });
        }
        return new StaleSocketReport(destroyed, errors.DrainToImmutable());
    }

    /// <summary>All backends that sockets were led to. The table does not say with which protocol; as only UDP matters here, all are called UDP.</summary>
    internal IEnumerable<GoneBackend> Reached()
    {
        var found = new HashSet<GoneBackend>();
        if (_translated is null)
            return found;
        new BpfMapScan<SockRevKey, SockRev>(_translated).Run((keys, values) =>
        {
            for (var i = 0; i < keys.Length; i++)
                found.Add(new GoneBackend(values[i].ServiceId, keys[i].Addr, keys[i].Port, IpProtocol.Udp));
        });
        return found;
    }

    public void Dispose()
    {
        _translated?.Dispose();
        _own.Dispose();
    }

    private int DestroyIn(NetworkNamespace place, ILookup<(Addr, U16Be), uint> gone)
    {
        using var sockets = SocketDiagnostics.Open(place);
        var destroyed = 0;
        foreach (var socket in sockets.List(SocketProtocol.Udp, SocketState.Established))
        {
            var (addr, port) = Peer(socket.Remote);
            var services = gone[(addr, port)];
            if (services.Any() && _translated!.TryLookup(new SockRevKey(socket.Cookie, addr, port), out SockRev asked)
                && services.Contains(asked.ServiceId) && sockets.Destroy(socket))
                destroyed++;
        }
        return destroyed;
    }

    private static (Addr Addr, U16Be Port) Peer(IPEndPoint remote) => (Addr.From(remote.Address), U16Be.FromHost((ushort)remote.Port));

    private static int Try(ImmutableArray<ApplyError>.Builder errors, string where, Func<int> work)
    {
        try
        {
            return work();
        }
        catch (KernelException e) when (e.Errno == Errno.ENOENT)
        {
            return 0; // the pod has gone meanwhile
        }
        catch (KernelException e)
        {
            errors.Add(new ApplyError($"destroy the sockets of backends that are gone in {where}", e));
            return 0;
        }
    }
}

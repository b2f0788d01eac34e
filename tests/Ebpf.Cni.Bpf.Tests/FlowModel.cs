using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>What a flow may become: one of several backends if the choice is free, exactly one if it was made before.</summary>
internal sealed record Expected(Reason Reason, IReadOnlyList<string> Backends)
{
    public static readonly Expected Untouched = new(Reason.Forwarded, []);
}

/// <summary>A connection as both its entries know it.</summary>
internal sealed class Connection
{
    public required Packet Request { get; init; }
    public required string Backend { get; init; }
    public CtFlags Flags { get; set; }
    public CtState State { get; set; }
}

/// <summary>
/// The rules of service translation a second time, as plainly as possible and without a kernel: what is random or concurrent there
/// is told to the model afterwards. Backends are "address:port"; connections are kept for ever (time is not part of it).
/// </summary>
internal sealed class FlowModel
{
    private readonly Dictionary<(string, IpProtocol), (SvcFlags Flags, string[] Backends)> _services = [];
    private readonly Dictionary<(string, ushort, string, IpProtocol), Connection> _forward = [];
    private readonly Dictionary<(string, ushort, string, IpProtocol), Connection> _reply = [];

    public IEnumerable<Connection> Answering => _reply.Values;

    public void Set(string frontend, IpProtocol protocol, SvcFlags flags, string[] backends) => _services[(frontend, protocol)] = (flags, backends);

    public void Delete(string frontend, IpProtocol protocol) => _services.Remove((frontend, protocol));

    /// <summary>What the program may do with a request to <paramref name="frontend"/>.</summary>
    public Expected Forward(Packet request, string frontend)
    {
        var key = (request.Src, request.Sport, frontend, request.Protocol);
        var known = _forward.GetValueOrDefault(key);
        // a SYN takes the entry of what is over with it, even if it is refused
        if (known is not null && Opens(request) && !Reusable(known))
            _forward.Remove(key);
        var open = request.Protocol == IpProtocol.Tcp && !Opens(request);
        if (open && known is not null)
            return new Expected(Reason.Service, [known.Backend]);
        if (!_services.TryGetValue((frontend, request.Protocol), out var service))
            return Expected.Untouched;
        if (service.Backends.Length == 0)
            return new Expected(service.Flags.HasFlag(SvcFlags.DropEmpty) ? Reason.NoLocalBackend : Reason.NoBackend, []);
        if (!open && known is not null && Reusable(known) && service.Backends.Contains(known.Backend))
            return new Expected(Reason.Service, [known.Backend]);
        return new Expected(Reason.Service, service.Backends);
    }

    /// <summary>The program chose; <paramref name="fresh"/> if the choice was free.</summary>
    public void Forwarded(Packet request, string frontend, string backend, bool fresh)
    {
        var key = (request.Src, request.Sport, frontend, request.Protocol);
        if (fresh)
        {
            var made = new Connection { Request = request, Backend = backend };
            _forward[key] = made;
            _reply[(request.Src, request.Sport, backend, request.Protocol)] = made;
            return;
        }
        var known = _forward[key];
        if (request.Protocol != IpProtocol.Tcp)
            return;
        Seen(known, request.Flags, reply: false);
    }

    /// <summary>Must a request with these answers be new? Only then is a choice free.</summary>
    public bool IsFresh(Packet request, string frontend)
    {
        var known = _forward.GetValueOrDefault((request.Src, request.Sport, frontend, request.Protocol));
        if (known is null)
            return true;
        if (request.Protocol == IpProtocol.Tcp && !Opens(request))
            return false;
        return !(Reusable(known) && _services[(frontend, request.Protocol)].Backends.Contains(known.Backend));
    }

    public static void Answered(Connection connection, TcpFlags flags)
    {
        connection.Flags |= CtFlags.SeenReply;
        if (connection.Request.Protocol == IpProtocol.Tcp)
            Seen(connection, flags, reply: true);
    }

    private static void Seen(Connection connection, TcpFlags flags, bool reply)
    {
        if (flags.HasFlag(TcpFlags.Fin))
            connection.Flags |= reply ? CtFlags.FinReply : CtFlags.FinForward;
        connection.State = TcpModel.Next(connection.State, flags, reply, connection.Flags.HasFlag(CtFlags.SeenReply));
    }

    private static bool Reusable(Connection known) =>
        known.Request.Protocol != IpProtocol.Tcp || known.State is not (CtState.TimeWait or CtState.Close);

    private static bool Opens(Packet p) => (p.Flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst)) == TcpFlags.Syn;
}

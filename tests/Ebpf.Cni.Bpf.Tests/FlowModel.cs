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

    public void Set(string frontend, IpProtocol protocol, SvcFlags flags, string[] backends) =>
        _services[(frontend, protocol)] = (flags, backends);

    public void Delete(string frontend, IpProtocol protocol) => _services.Remove((frontend, protocol));

    /// <summary>What the program may do with a request to <paramref name="frontend"/>.</summary>
    public Expected Forward(Packet request, string frontend)
    {
        var key = (request.Src, request.Sport, frontend, request.Protocol);
        var known = _forward.GetValueOrDefault(key);
        var opens = request.Protocol != IpProtocol.Tcp || Opens(request);
        if (known is not null && opens && !Reusable(known))
            known = Forget(key, known);
        if (known is not null && !(opens && Movable(known)))
            return new Expected(Reason.Service, [known.Backend]);
        var found = _services.TryGetValue((frontend, request.Protocol), out var service);
        if (known is not null && found && service.Backends.Contains(known.Backend))
            return new Expected(Reason.Service, [known.Backend]);
        // what may move does not come back to a backend that was none for a while
        if (known is not null)
            Forget(key, known);
        if (!found)
            return Expected.Untouched;
        if (!opens)
            return new Expected(Reason.NoConnection, []);
        if (service.Backends.Length == 0)
            return new Expected(service.Flags.HasFlag(SvcFlags.DropEmpty) ? Reason.NoLocalBackend : Reason.NoBackend, []);
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

    /// <summary>Was the choice free? To be asked after <see cref="Forward"/>.</summary>
    public bool IsFresh(Packet request, string frontend) => !_forward.ContainsKey((request.Src, request.Sport, frontend, request.Protocol));

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

    private Connection? Forget((string, ushort, string, IpProtocol) key, Connection known)
    {
        _forward.Remove(key);
        _reply.Remove((known.Request.Src, known.Request.Sport, known.Backend, known.Request.Protocol));
        return null;
    }

    /// <summary>Datagrams, and handshakes without an answer.</summary>
    private static bool Movable(Connection known) => known.Request.Protocol != IpProtocol.Tcp || known.State == CtState.SynSent;

    private static bool Reusable(Connection known) =>
        known.Request.Protocol != IpProtocol.Tcp || known.State is not (CtState.TimeWait or CtState.Close);

    private static bool Opens(Packet p) => (p.Flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst)) == TcpFlags.Syn;
}

using System.Runtime.InteropServices;
using System.Threading.Channels;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Observe;

/// <summary>
/// Why a packet or a socket call was not let through. The time is monotonic, since boot; addresses and ports are the packet's as it
/// arrived; a service id of 0 means no service. A socket call has no source and no interface (0).
/// </summary>
public sealed record DropEvent(
    TimeSpan Time, Addr Source, ushort SourcePort, Addr Destination, ushort DestinationPort, IpProtocol Protocol,
    Reason Reason, Hook Hook, int Ifindex, uint ServiceId, uint Length)
{
    internal static DropEvent From(in Event e) => new(
        TimeSpan.FromTicks((long)(e.TimeNs / 100)), e.Src, e.Sport.Host, e.Dst, e.Dport.Host, e.Proto,
        e.Reason, e.Hook, (int)e.Ifindex, e.ServiceId, e.Len);
}

/// <summary>
/// Drains <c>ebc_events_v1</c> on a thread of its own into a bounded channel. A reader that is too slow loses
/// the newest records, which are counted; it never slows the dataplane down. After what it has read it rests
/// a little: in a flood the kernel would else wake it for each record, which costs more than the record.
/// </summary>
public sealed class EventReader : IDisposable
{
    private static readonly TimeSpan PollTimeout = TimeSpan.FromMilliseconds(200);

    /// <summary>The ring holds what 60 CPUs report meanwhile at the default rate.</summary>
    internal static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(50);

    private readonly Channel<DropEvent> _channel;
    private readonly RingBuffer _ring;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _stop = new();
    private long _lost, _reads;

    internal EventReader(BpfMap map, int capacity)
    {
        _channel = Channel.CreateBounded<DropEvent>(new BoundedChannelOptions(capacity) { SingleWriter = true });
        _ring = new RingBuffer(map, OnRecord);
        _thread = new Thread(Run) { IsBackground = true, Name = "bpf events" };
        _thread.Start();
    }

    /// <summary>Completed when this object is disposed, or with the error when reading failed.</summary>
    public ChannelReader<DropEvent> Events => _channel.Reader;

    /// <summary>Records that found the channel full or were not of this version's size.</summary>
    public long Lost => Interlocked.Read(ref _lost);

    /// <summary>How often it has woken up and found records.</summary>
    internal long Reads => Interlocked.Read(ref _reads);

    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _ring.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        Exception? error = null;
        try
        {
            while (!_stop.IsSet)
            {
                if (_ring.Poll(PollTimeout) == 0)
                    continue;
                Interlocked.Increment(ref _reads);
                _stop.Wait(Rest);
            }
        }
        catch (Exception e) // any: it reaches the reader of the channel
        {
            error = e;
        }
        _channel.Writer.TryComplete(error);
    }

    private void OnRecord(ReadOnlySpan<byte> record)
    {
        if (!MemoryMarshal.TryRead(record, out Event e) || !_channel.Writer.TryWrite(DropEvent.From(e)))
            Interlocked.Increment(ref _lost);
    }
}

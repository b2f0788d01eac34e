using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>Gets one record, in the ring's own memory: copy what must outlive the call.</summary>
public delegate void RingBufferHandler(ReadOnlySpan<byte> record);

/// <summary>
/// The consumer of a ring buffer map; one consumer, one thread at a time. The kernel shares two positions and the data,
/// mapped twice in a row so that a record never wraps (kernel: Documentation/bpf/ringbuf.rst). A record is a header of 8
/// bytes, whose first word is its length with two flags, and the data, rounded up to 8 bytes.
/// </summary>
public sealed unsafe class RingBuffer : IDisposable
{
    private const uint Busy = 1u << 31, Discarded = 1u << 30;
    private const int HeaderSize = 8;

    private readonly FdHandle _fd;
    private readonly MappedMemory _consumer;
    private readonly MappedMemory _producer;
    private readonly ulong _mask;
    private readonly RingBufferHandler _onRecord;

    /// <param name="map">A ring buffer; it may be disposed before this object.</param>
    public RingBuffer(BpfMap map, RingBufferHandler onRecord)
    {
        ArgumentNullException.ThrowIfNull(map);
        ArgumentNullException.ThrowIfNull(onRecord);
        if (map.Info.Type != BpfMapType.RingBuffer)
            throw new ArgumentException($"{map} is no ring buffer");
        _onRecord = onRecord;
        _mask = map.Info.MaxEntries - 1;
        var page = Environment.SystemPageSize;
        using var lease = map.Handle.Lease();
        _fd = FdHandle.Duplicate(lease.Fd);
        try
        {
            var name = $"the ring buffer {map.Info.Name}";
            _consumer = MappedMemory.Map(_fd, (nuint)page, writable: true, 0, name);
            _producer = MappedMemory.Map(_fd, (nuint)page + (2 * (nuint)map.Info.MaxEntries), writable: false, page, name);
        }
        catch
        {
            _consumer?.Dispose();
            _fd.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Waits for records and hands over all there are. What the handler throws comes through; its record counts as consumed.
    /// </summary>
    /// <param name="timeout">Zero does not wait; <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <returns>How many records were handed over.</returns>
    public int Poll(TimeSpan timeout)
    {
        var milliseconds = timeout == Timeout.InfiniteTimeSpan ? -1 : (int)Math.Min(timeout.TotalMilliseconds, int.MaxValue);
        using var lease = _fd.Lease();
        var poll = new LibC.PollFd { Fd = lease.Fd, Events = LibC.POLLIN };
        var result = LibC.Poll(&poll, 1, milliseconds);
        if (result < 0 && Marshal.GetLastPInvokeError() != Errno.EINTR)
            throw LibC.LastError("wait for a ring buffer");
        return result > 0 ? Consume() : 0;
    }

    public void Dispose()
    {
        _consumer.Dispose();
        _producer.Dispose();
        _fd.Dispose();
    }

    private int Consume()
    {
        ref var consumed = ref *(ulong*)_consumer.Pointer;
        ref var produced = ref *(ulong*)_producer.Pointer;
        var data = _producer.Pointer + Environment.SystemPageSize;
        var count = 0;
        var position = Volatile.Read(ref consumed);
        while (position < Volatile.Read(ref produced))
        {
            var record = data + (position & _mask);
            var header = Volatile.Read(ref *(uint*)record);
            if ((header & Busy) != 0)
                break; // reserved, still being written: the program will wake us when it commits
            var length = header & ~(Busy | Discarded);
            position += (length + HeaderSize + 7) & ~7ul;
            try
            {
                if ((header & Discarded) != 0)
                    continue;
                count++;
                _onRecord(new ReadOnlySpan<byte>(record + HeaderSize, (int)length));
            }
            finally
            {
                Volatile.Write(ref consumed, position);
            }
        }
        return count;
    }
}

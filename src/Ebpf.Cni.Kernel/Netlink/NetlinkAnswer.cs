using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>A message of an answer, without its header.</summary>
internal readonly record struct NetlinkMessage(MessageType Type, byte[] Payload);

/// <summary>Takes a message of an answer, without its header; the bytes are gone after the call.</summary>
internal delegate void MessageSink(MessageType type, ReadOnlySpan<byte> payload);

/// <summary>
/// Collects the answer to one request from the datagrams that arrive. Pure: any bytes give an answer or a
/// <see cref="NetlinkFormatException"/>. Messages with another sequence number are left over from a request whose
/// answer could not be read, and are skipped.
/// </summary>
/// <param name="sequence">Of the request.</param>
/// <param name="each">Gets the messages as they come, which are not kept then.</param>
internal sealed class NetlinkAnswer(uint sequence, MessageSink? each = null)
{
    private static readonly int HeaderSize = Unsafe.SizeOf<MessageHeader>();

    private readonly List<NetlinkMessage> _messages = [];

    public IReadOnlyList<NetlinkMessage> Messages => _messages;

    /// <summary>Nothing more will come.</summary>
    public bool Complete { get; private set; }

    /// <summary>The dump is not of one moment: ask again.</summary>
    public bool Interrupted { get; private set; }

    /// <summary>The positive error number; 0 for success.</summary>
    public int Error { get; private set; }

    /// <summary>The kernel's explanation (extended acknowledgement), if it gave one.</summary>
    public string? Explanation { get; private set; }

    public void Read(ReadOnlySpan<byte> datagram)
    {
        while (!datagram.IsEmpty && !Complete)
        {
            if (datagram.Length < HeaderSize)
                throw new NetlinkFormatException($"{datagram.Length} bytes are less than a header");
            var header = MemoryMarshal.Read<MessageHeader>(datagram);
            if (header.Length < HeaderSize || header.Length > datagram.Length)
                throw new NetlinkFormatException($"a message claims {header.Length} of {datagram.Length} bytes");
            if (header.Sequence == sequence)
                Read(in header, datagram[HeaderSize..(int)header.Length]);
            datagram = datagram[Math.Min(((int)header.Length + 3) & ~3, datagram.Length)..];
        }
    }

    private void Read(in MessageHeader header, ReadOnlySpan<byte> payload)
    {
        var flags = (AnswerFlags)header.Flags;
        Interrupted |= flags.HasFlag(AnswerFlags.DumpInterrupted);
        switch (header.Type)
        {
            case MessageType.Error:
                ReadVerdict(payload, flags, EchoedSize(payload, flags));
                break;
            case MessageType.Done:
                // a dump's end has a verdict too, without an echo
                ReadVerdict(payload, flags, 0);
                break;
            case MessageType.Overrun:
                throw new NetlinkFormatException("messages were lost");
            default:
                if (each is null)
                    _messages.Add(new NetlinkMessage(header.Type, payload.ToArray()));
                else
                    each(header.Type, payload);
                break;
        }
    }

    private void ReadVerdict(ReadOnlySpan<byte> payload, AnswerFlags flags, int echoed)
    {
        Complete = true;
        if (payload.Length < sizeof(int))
            throw new NetlinkFormatException("a verdict without an error number");
        var code = MemoryMarshal.Read<int>(payload);
        if (code is > 0 or < -4095)
            throw new NetlinkFormatException($"{code} is no error number");
        Error = -code;
        if (!flags.HasFlag(AnswerFlags.HasAttributes))
            return;
        var attributes = new AttributeReader(payload[(sizeof(int) + echoed)..]);
        while (attributes.Next(out var type, out var value))
            if (type == AckAttribute.Message)
                Explanation = AttributeReader.Text(value);
    }

    // behind the error number comes the request's header and, unless capped, the whole request
    private static int EchoedSize(ReadOnlySpan<byte> payload, AnswerFlags flags)
    {
        if (payload.Length < sizeof(int) + HeaderSize)
            throw new NetlinkFormatException($"{payload.Length} bytes are less than an acknowledgement");
        if (flags.HasFlag(AnswerFlags.Capped))
            return HeaderSize;
        var length = MemoryMarshal.Read<MessageHeader>(payload[sizeof(int)..]).Length;
        if (length < HeaderSize || length > payload.Length - sizeof(int))
            throw new NetlinkFormatException($"an acknowledgement claims to repeat {length} of {payload.Length} bytes");
        return Math.Min(((int)length + 3) & ~3, payload.Length - sizeof(int));
    }
}

using System.Runtime.InteropServices;
using System.Text;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Kernel.Tests.Netlink;

public sealed class AnswerTests
{
    [Fact]
    public void An_acknowledgement_completes()
    {
        var answer = Read(Message(MessageType.Error, 0, [.. BitConverter.GetBytes(0), .. BitConverter.GetBytes(16), .. new byte[12]]));
        Assert.True(answer.Complete);
        Assert.Equal(0, answer.Error);
    }

    [Fact]
    public void A_refusal_carries_number_and_words_behind_a_repeated_request()
    {
        byte[] echo = [.. BitConverter.GetBytes(20), .. new byte[16]];
        byte[] text = [.. Encoding.UTF8.GetBytes("no way\0"), 0];
        byte[] attribute = [11, 0, 1, 0, .. text];
        var answer = Read(Message(MessageType.Error, AnswerFlags.HasAttributes, [.. BitConverter.GetBytes(-22), .. echo, .. attribute]));
        Assert.Equal((true, 22, "no way"), (answer.Complete, answer.Error, answer.Explanation));
    }

    [Fact]
    public void A_dump_goes_on_until_done_and_its_end_may_be_an_error()
    {
        var answer = Read(Message(MessageType.NewLink, AnswerFlags.DumpInterrupted, new byte[16]));
        Assert.Equal((false, true, 1), (answer.Complete, answer.Interrupted, answer.Messages.Count));
        answer.Read(Message(MessageType.Done, 0, BitConverter.GetBytes(-4)));
        Assert.Equal((true, 4), (answer.Complete, answer.Error));
    }

    [Fact]
    public void Left_overs_of_an_earlier_request_are_skipped()
    {
        var answer = new NetlinkAnswer(2);
        answer.Read(Message(MessageType.Done, 0, BitConverter.GetBytes(0)));
        Assert.False(answer.Complete);
    }

    private static NetlinkAnswer Read(byte[] datagram)
    {
        var answer = new NetlinkAnswer(1);
        answer.Read(datagram);
        return answer;
    }

    private static byte[] Message(MessageType type, AnswerFlags flags, byte[] payload)
    {
        var header = new MessageHeader { Length = (uint)(16 + payload.Length), Type = type, Flags = (ushort)flags, Sequence = 1 };
        return [.. MemoryMarshal.AsBytes(new ReadOnlySpan<MessageHeader>(in header)), .. payload];
    }
}

using System.Buffers.Binary;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kernel.Tests.Netlink;

/// <summary>Whatever arrives, reading it ends, with a value or with the one typed error.</summary>
public sealed class AnswerFuzzTests
{
    private const int Rounds = 30_000;
    private const uint Sequence = 3;

    [Fact]
    public void Any_datagram_is_an_answer_or_a_format_error()
    {
        var random = new Random(Seed.Next());
        Check(random, Datagram, bytes =>
        {
            var answer = new NetlinkAnswer(Sequence);
            answer.Read(bytes);
            return answer.Complete || answer.Messages.Count > 0;
        });
    }

    [Fact]
    public void Any_datagram_is_events()
    {
        var random = new Random(Seed.Next());
        var (known, lost) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var bytes = Payload(random, headerSize: 16);
            byte[] message = [.. new byte[16], .. bytes];
            BinaryPrimitives.WriteInt32LittleEndian(message, random.Next(20) == 0 ? random.Next() : message.Length);
            BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), (ushort)(random.Next(10) == 0
                ? random.Next(200)
                : (int[])[16, 17, 20, 21, 24, 25, 28, 29, 80, 104] is var types
                    ? types[random.Next(types.Length)]
                    : 0));
            NetworkEventReader.Read(message, told => _ = told.Kind == NetworkEventKind.Lost ? lost++ : known++);
            NetworkEventReader.Read(Datagram(random), _ => { });
        }

        Assert.True(known > 20 && lost > 20, $"{known} known, {lost} lost of {Rounds}");
    }

    [Fact]
    public void Any_payload_is_an_object_or_a_format_error()
    {
        var random = new Random(Seed.Next());
        Check(random, r => Payload(r, headerSize: 16), bytes => LinkInfo.Read(bytes) is not null);
        Check(random, r => Payload(r, headerSize: 8), bytes => AddressInfo.Read(bytes) is not null);
        Check(random, r => Payload(r, headerSize: 12), bytes => Route.Read(bytes) is not null);
        Check(random, r => Payload(r, headerSize: 8), bytes => NextHops.Interfaces([bytes], 0).Count > 0);
        Check(random, r => Payload(r, headerSize: 12), bytes => Neighbour.Read(bytes) is not null);
        Check(random, Queue, bytes => QdiscInfo.Read(bytes).Rate > 0);
    }

    /// <summary>A token bucket's, damaged here and there.</summary>
    private static byte[] Queue(Random random)
    {
        var data = new List<byte>(new byte[20]);
        data.AddRange([8, 0, 1, 0, (byte)'t', (byte)'b', (byte)'f', 0]);
        var inside = Payload(random, headerSize: 0);
        data.AddRange([(byte)(4 + 40 + inside.Length), 0, 2, 0x80, 40, 0, 1, 0]);
        var parameters = new byte[36];
        random.NextBytes(parameters);
        data.AddRange(parameters);
        data.AddRange(inside);
        for (var n = random.Next(3); n > 0; n--)
            data[random.Next(data.Count)] = (byte)random.Next(256);
        return [.. data];
    }

    private static void Check(Random random, Func<Random, byte[]> sample, Func<byte[], bool> read)
    {
        var (good, malformed) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            try
            {
                good += read(sample(random)) ? 1 : 0;
            }
            catch (NetlinkFormatException)
            {
                malformed++;
            }
        }
        // the detector's own control: both ways were really taken
        Assert.True(good > 20 && malformed > 20, $"{good} good, {malformed} malformed of {Rounds}");
    }

    /// <summary>Messages with mostly sensible headers.</summary>
    private static byte[] Datagram(Random random)
    {
        var data = new List<byte>();
        for (var messages = random.Next(4); messages >= 0; messages--)
        {
            var payload = new byte[random.Next(3) == 0 ? random.Next(60) : 20 + (random.Next(4) * 4)];
            if (random.Next(3) == 0)
                random.NextBytes(payload);
            var header = new byte[16];
            var length = random.Next(10) == 0 ? random.Next(100) : 16 + payload.Length;
            BinaryPrimitives.WriteInt32LittleEndian(header, random.Next(50) == 0 ? random.Next(int.MinValue, int.MaxValue) : length);
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(4), (ushort)(random.Next(2) == 0 ? random.Next(6) : random.Next(100)));
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(6), (ushort)(random.Next(4) << 8));
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), random.Next(5) == 0 ? 0 : Sequence);
            data.AddRange(header);
            data.AddRange(payload);
            while (data.Count % 4 != 0)
                data.Add(0);
        }
        return random.Next(4) == 0 ? [.. data.Take(random.Next(data.Count))] : [.. data];
    }

    /// <summary>A family header and attributes of every number, many of them of a right size.</summary>
    private static byte[] Payload(Random random, int headerSize)
    {
        int[] sizes = [0, 4, 4, 6, 16, 18, random.Next(40)];
        var data = new List<byte>(new byte[headerSize]);
        if (headerSize > 0)
        {
            data[0] = (byte)(random.Next(5) switch { 0 => random.Next(256), 1 or 2 => 2, _ => 10 });
            data[1] = (byte)(random.Next(2) == 0 ? 0 : random.Next(256));
        }

        for (var attributes = random.Next(5); attributes > 0; attributes--)
        {
            var value = new byte[sizes[random.Next(sizes.Length)]];
            if (random.Next(2) == 0)
                random.NextBytes(value);
            var header = new byte[4];
            var length = random.Next(10) == 0 ? random.Next(70) : 4 + value.Length;
            BinaryPrimitives.WriteUInt16LittleEndian(header, (ushort)length);
            BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(2), (ushort)random.Next(40));
            data.AddRange(header);
            data.AddRange(value);
            while (data.Count % 4 != 0)
                data.Add(0);
        }
        return random.Next(5) == 0 ? [.. data.Take(random.Next(data.Count))] : [.. data];
    }
}

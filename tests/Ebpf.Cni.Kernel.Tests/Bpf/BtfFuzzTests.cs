using System.Buffers.Binary;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class BtfFuzzTests
{
    [Fact]
    public void Any_bytes_give_types_or_a_format_error()
    {
        var random = new Random(Seed.Next());
        var (errors, parsed) = (0, 0);
        for (var round = 0; round < 20_000; round++)
        {
            try
            {
                var btf = Btf.Parse(Sample(random));
                parsed++;
                for (var id = 0u; id < btf.Types.Count; id++)
                    Touch(btf, id);
            }
            catch (BtfFormatException)
            {
                errors++;
            }
        }
        // the detector's own control: both ways were really taken
        Assert.True(errors > 100 && parsed > 100, $"{errors} errors, {parsed} parsed");
    }

    private static void Touch(Btf btf, uint id)
    {
        try
        {
            _ = btf.TypeName(id);
            _ = btf.SizeOf(id);
            if (btf.Resolve(id) is BtfComposite composite)
                _ = btf.Fields(composite);
        }
        catch (BtfFormatException)
        {
            // a type without a size, or one that refers to itself
        }
    }

    /// <summary>A right header over types whose words are small numbers, which refer to each other in every way.</summary>
    private static byte[] Sample(Random random)
    {
        var typeBytes = random.Next(12) * 12;
        var data = new byte[24 + typeBytes + 8];
        BinaryPrimitives.WriteUInt16LittleEndian(data, 0xeb9f);
        data[2] = 1;
        Write(4, 24);
        Write(8, 0);
        Write(12, (uint)typeBytes);
        Write(16, (uint)typeBytes);
        Write(20, 8);
        for (var at = 24; at < 24 + typeBytes; at += 12)
        {
            Write(at, (uint)random.Next(10));
            Write(at + 4, ((uint)random.Next(21) << 24) | (uint)random.Next(3) | (random.Next(2) == 0 ? 0 : 1u << 31));
            Write(at + 8, random.Next(10) == 0 ? (uint)random.Next() * 2 : (uint)random.Next(10));
        }
        if (random.Next(3) == 0)
            data[random.Next(data.Length)] = (byte)random.Next(256);
        return random.Next(5) == 0 ? data[..random.Next(data.Length)] : data;

        void Write(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(at), value);
    }
}

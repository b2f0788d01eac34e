using System.Buffers;
using System.Numerics;
using System.Runtime.Intrinsics;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>One pass of a <see cref="JsonPruner"/>. Every method leaves the position behind what it read, or returns false.</summary>
internal ref struct JsonScan(ReadOnlySpan<byte> text, Span<byte> output)
{
    private static readonly SearchValues<byte> AfterLiteral = SearchValues.Create(",}] \t\r\n"u8);
    private readonly ReadOnlySpan<byte> _text = text;
    private readonly Span<byte> _output = output;
    private int _at;

    /// <summary>Bytes of output.</summary>
    public int Written { get; private set; }

    /// <summary>Copies the one object that the text is.</summary>
    public bool CopyAll(KeptMembers kept)
    {
        SkipBlank();
        if (!Is('{') || !CopyObject(kept))
            return false;
        SkipBlank();
        return _at == _text.Length;
    }

    private bool CopyObject(KeptMembers kept)
    {
        _at++;
        Write("{"u8);
        var copied = false;
        for (var first = true; ; first = false)
        {
            SkipBlank();
            if (Take('}'))
            {
                Write("}"u8);
                return true;
            }

            if (!first)
            {
                if (!Take(','))
                    return false;
                SkipBlank();
            }

            if (!Name(out var name))
                return false;
            if (!kept.Has(name, out var content))
            {
                if (!SkipValue())
                    return false;
                continue;
            }

            Write(copied ? ",\""u8 : "\""u8);
            copied = true;
            Write(name);
            Write("\":"u8);
            if (!(content is not null && Is('{') ? CopyObject(content) : CopyValue()))
                return false;
        }
    }

    private bool CopyValue()
    {
        var start = _at;
        if (!SkipValue())
            return false;
        Write(_text[start.._at]);
        return true;
    }

    /// <summary>A member's name and the colon; a name with escapes is left to the decoder.</summary>
    private bool Name(out ReadOnlySpan<byte> name)
    {
        name = default;
        if (!Take('"'))
            return false;
        var length = _text[_at..].IndexOfAny((byte)'"', (byte)'\\');
        if (length < 0 || _text[_at + length] != '"')
            return false;
        name = _text.Slice(_at, length);
        _at += length + 1;
        SkipBlank();
        if (!Take(':'))
            return false;
        SkipBlank();
        return true;
    }

    private bool SkipValue()
    {
        if (_at >= _text.Length)
            return false;
        switch (_text[_at])
        {
            case (byte)'"':
                _at++;
                return SkipString();
            case (byte)'{' or (byte)'[':
                return SkipNested();
            default:
                var length = _text[_at..].IndexOfAny(AfterLiteral);
                _at += length;
                return length > 0;
        }
    }

    /// <summary>
    /// An object or array, a block of bytes at a time: which of them are in strings follows from the quotes before
    /// them, and only in the block in which the last bracket may be, or that has escapes, does one look at each.
    /// </summary>
    private bool SkipNested()
    {
        var depth = 0;
        var inString = false;
        while (_at + Vector256<byte>.Count <= _text.Length)
        {
            var block = Vector256.Create(_text.Slice(_at, Vector256<byte>.Count));
            var quotes = Vector256.Equals(block, Vector256.Create((byte)'"')).ExtractMostSignificantBits();
            var folded = block | Vector256.Create((byte)0x20); // [ and ] become { and }
            var open = Vector256.Equals(folded, Vector256.Create((byte)'{')).ExtractMostSignificantBits();
            var close = Vector256.Equals(folded, Vector256.Create((byte)'}')).ExtractMostSignificantBits();
            var strings = WithinQuotes(quotes) ^ (inString ? uint.MaxValue : 0);
            var closed = BitOperations.PopCount(close & ~strings);
            if (depth <= closed || Vector256.EqualsAny(block, Vector256.Create((byte)'\\')))
            {
                if (!SkipBytes(_at + Vector256<byte>.Count, ref depth, ref inString))
                    continue;
                return true;
            }

            depth += BitOperations.PopCount(open & ~strings) - closed;
            inString = (strings >> 31) != 0;
            _at += Vector256<byte>.Count;
        }

        return SkipBytes(_text.Length, ref depth, ref inString);
    }

    /// <summary>Each bit is the parity of the quotes up to it.</summary>
    private static uint WithinQuotes(uint quotes)
    {
        quotes ^= quotes << 1;
        quotes ^= quotes << 2;
        quotes ^= quotes << 4;
        quotes ^= quotes << 8;
        return quotes ^ (quotes << 16);
    }

    /// <summary>Byte by byte to an end, or behind the escape that goes over it; true: the last bracket was closed before.</summary>
    private bool SkipBytes(int end, ref int depth, ref bool inString)
    {
        while (_at < end && _at < _text.Length)
        {
            switch (_text[_at++])
            {
                case (byte)'\\' when inString:
                    _at++;
                    break;
                case (byte)'"':
                    inString = !inString;
                    break;
                case (byte)'{' or (byte)'[' when !inString:
                    depth++;
                    break;
                case (byte)'}' or (byte)']' when !inString:
                    if (--depth == 0)
                        return true;
                    break;
            }
        }

        return false;
    }

    /// <summary>From behind the opening quote.</summary>
    private bool SkipString()
    {
        while (true)
        {
            var length = _text[_at..].IndexOfAny((byte)'"', (byte)'\\');
            if (length < 0)
                return false;
            _at += length + 1;
            if (_text[_at - 1] == '"')
                return true;
            if (++_at > _text.Length)
                return false;
        }
    }

    private void SkipBlank()
    {
        while (_at < _text.Length && _text[_at] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
            _at++;
    }

    private readonly bool Is(char c) => _at < _text.Length && _text[_at] == c;

    private bool Take(char c)
    {
        if (!Is(c))
            return false;
        _at++;
        return true;
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_output[Written..]);
        Written += bytes.Length;
    }
}

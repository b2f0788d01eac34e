using System.Buffers;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>One pass of a <see cref="JsonPruner"/>. Every method leaves the position behind what it read, or returns false.</summary>
internal ref struct JsonScan(ReadOnlySpan<byte> text, Span<byte> output)
{
    private static readonly SearchValues<byte> Structure = SearchValues.Create("\"{}[]"u8);
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

    private bool SkipNested()
    {
        var depth = 0;
        while (true)
        {
            var skipped = _text[_at..].IndexOfAny(Structure);
            if (skipped < 0)
                return false;
            _at += skipped + 1;
            switch (_text[_at - 1])
            {
                case (byte)'"':
                    if (!SkipString())
                        return false;
                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    break;
                default:
                    if (--depth == 0)
                        return true;
                    break;
            }
        }
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

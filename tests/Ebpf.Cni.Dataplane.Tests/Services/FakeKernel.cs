using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;

namespace Ebpf.Cni.Dataplane.Tests.Services;

internal enum Fault
{
    None,

    /// <summary>Not done, and an error.</summary>
    Fail,

    /// <summary>Done, and an error all the same.</summary>
    FailAfterwards,

    /// <summary>The agent dies before the step.</summary>
    Crash,
}

internal sealed class CrashException : Exception;

/// <summary>Both tables in memory. Every element written is a step of its own: faults strike there, and an observer looks at what readers see.</summary>
internal sealed class FakeKernel(uint frontendCapacity, uint backendCapacity) : IFrontendTable, IBackendArray
{
    public Dictionary<SvcKey, Svc> Frontends { get; private init; } = [];

    public Backend[] Backends { get; private init; } = new Backend[backendCapacity];

    public Func<Fault> NextFault { get; set; } = () => Fault.None;

    public Action AfterStep { get; set; } = () => { };

    /// <summary>Before an element is overwritten.</summary>
    public Action<uint> BeforeWrite { get; set; } = _ => { };

    /// <summary>A frontend's value was replaced or deleted.</summary>
    public Action<Svc> AfterLeft { get; set; } = _ => { };

    public int Steps { get; private set; }

    public int SegmentWrites { get; private set; }

    public int FrontendWrites { get; private set; }

    public uint Capacity => frontendCapacity;

    public uint Length => (uint)Backends.Length;

    public FakeKernel Clone() => new(frontendCapacity, Length) { Frontends = new(Frontends), Backends = [.. Backends] };

    public List<KeyValuePair<SvcKey, Svc>> ReadAll() => [.. Frontends];

    public void Read(uint offset, Span<Backend> into) => Backends.AsSpan((int)offset, into.Length).CopyTo(into);

    public void Write(uint offset, ReadOnlySpan<Backend> backends)
    {
        SegmentWrites++;
        for (var i = 0; i < backends.Length; i++)
        {
            if (NextFault() == Fault.Crash)
                throw new CrashException();
            BeforeWrite(offset + (uint)i);
            Backends[offset + i] = backends[i];
            Step();
        }
    }

    public BatchOutcome Update(ReadOnlySpan<SvcKey> keys, ReadOnlySpan<Svc> values)
    {
        for (var i = 0; i < keys.Length; i++)
        {
            var fault = NextFault();
            if (fault == Fault.Crash)
                throw new CrashException();
            if (fault == Fault.Fail)
                return new BatchOutcome(i, new IOException("injected"));
            var replaces = Frontends.TryGetValue(keys[i], out var old);
            if (!replaces && Frontends.Count >= frontendCapacity)
                return new BatchOutcome(i, new IOException("E2BIG"), Full: true);
            FrontendWrites++;
            Frontends[keys[i]] = values[i];
            if (replaces)
                AfterLeft(old);
            Step();
            if (fault == Fault.FailAfterwards)
                return new BatchOutcome(i, new IOException("injected, but done"));
        }
        return new BatchOutcome(keys.Length);
    }

    public BatchOutcome Delete(ReadOnlySpan<SvcKey> keys)
    {
        for (var i = 0; i < keys.Length; i++)
        {
            var fault = NextFault();
            if (fault == Fault.Crash)
                throw new CrashException();
            if (fault == Fault.Fail)
                return new BatchOutcome(i, new IOException("injected"));
            FrontendWrites++;
            if (Frontends.Remove(keys[i], out var old))
                AfterLeft(old);
            Step();
            if (fault == Fault.FailAfterwards)
                return new BatchOutcome(i, new IOException("injected, but done"));
        }
        return new BatchOutcome(keys.Length);
    }

    private void Step()
    {
        Steps++;
        AfterStep();
    }
}

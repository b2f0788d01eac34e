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

/// <summary>
/// All tables in memory. Every element written is a step of its own: faults strike there, and an observer looks at what readers see.
/// </summary>
internal sealed class FakeKernel : IBackendArray
{
    private readonly FakeTable<SvcKey, Svc> _frontends;
    private readonly FakeTable<SrangeKey, Srange> _ranges;

    public FakeKernel(uint frontendCapacity, uint backendCapacity, uint rangeCapacity = 64)
        : this(new(frontendCapacity), new(rangeCapacity), new Backend[backendCapacity])
    {
    }

    private FakeKernel(FakeTable<SvcKey, Svc> frontends, FakeTable<SrangeKey, Srange> ranges, Backend[] backends)
    {
        (_frontends, _ranges, Backends) = (frontends, ranges, backends);
        _frontends.NextFault = _ranges.NextFault = () => NextFault();
        _frontends.AfterStep = _ranges.AfterStep = Step;
        _frontends.AfterLeft = left => AfterLeft(left);
    }

    public ServiceTables Tables => new(_frontends, this, _ranges) { WaitForReaders = WaitForReaders };

    /// <summary>Null: this kernel cannot be asked to wait until no program reads any more.</summary>
    public Func<bool>? WaitForReaders { get; set; }

    public Dictionary<SvcKey, Svc> Frontends => _frontends.Entries;

    public Dictionary<SrangeKey, Srange> Ranges => _ranges.Entries;

    public Backend[] Backends { get; }

    public Func<Fault> NextFault { get; set; } = () => Fault.None;

    public Action AfterStep { get; set; } = () => { };

    /// <summary>Before an element is overwritten.</summary>
    public Action<uint> BeforeWrite { get; set; } = _ => { };

    /// <summary>A frontend's value was replaced or deleted.</summary>
    public Action<Svc> AfterLeft { get; set; } = _ => { };

    public int Steps { get; private set; }

    public int SegmentWrites { get; private set; }

    public int FrontendWrites => _frontends.Writes;

    public uint Length => (uint)Backends.Length;

    public FakeKernel Clone() => new(_frontends.Clone(), _ranges.Clone(), [.. Backends]);

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

    private void Step()
    {
        Steps++;
        AfterStep();
    }
}

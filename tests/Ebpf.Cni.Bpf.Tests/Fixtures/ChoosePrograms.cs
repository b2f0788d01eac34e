using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>bpf/test/choose.bpf.c: the functions that choose a backend, asked by test runs.</summary>
internal sealed class ChoosePrograms : IDisposable
{
    private const int EthernetHeader = 14;
    private const uint Unreadable = 0xffffffff;

    private readonly BpfObject _object;
    private readonly BpfMap _backends;
    private readonly BpfProgram _serves;
    private readonly BpfProgram _choose;
    private readonly BpfProgram _allowed;

    public ChoosePrograms()
    {
        Requires.Root();
        _object = BpfObject.Open(Repository.BpfObject("test/choose"));
        _object.SetMaxEntries(MapNames.Backend, 65536);
        _object.Load();
        _backends = _object.GetMap(MapNames.Backend);
        Affinities = _object.GetMap(MapNames.Affinity);
        SourceRanges = _object.GetMap(MapNames.SourceRange);
        _serves = _object.GetProgram("ebc_test_serves");
        _choose = _object.GetProgram("ebc_test_choose");
        _allowed = _object.GetProgram("ebc_test_source_allowed");
    }

    public BpfMap Affinities { get; }
    public BpfMap SourceRanges { get; }

    /// <summary>As they are: who wants a run to be sorted sorts it.</summary>
    public void Write(uint offset, IReadOnlyList<Backend> segment)
    {
        using var mapped = _backends.MapArray<Backend>();
        for (var i = 0; i < segment.Count; i++)
            mapped.Span[(int)offset + i] = segment[i];
    }

    /// <returns>The position in the segment, or null.</returns>
    public uint? Serves(in Svc svc, uint from, uint count, Addr addr, U16Be port, uint hint) =>
        Position(_serves, new Question(svc, addr, port, from, count, hint));

    public uint? Choose(in Svc svc, Addr client, uint pick) => Position(_choose, new Question(svc, client, default, 0, 0, pick));

    public bool Allowed(in Svc svc, Addr client) => Ask(_allowed, new Question(svc, client, default, 0, 0, 0)) != 0;

    public void Dispose()
    {
        foreach (var owned in new IDisposable[] { _serves, _choose, _allowed, _backends, Affinities, SourceRanges, _object })
            owned.Dispose();
    }

    private static uint? Position(BpfProgram program, Question question) =>
        Ask(program, question) is var answer and not 0 ? answer - 1 : null;

    private static uint Ask(BpfProgram program, Question question)
    {
        var packet = new byte[EthernetHeader + Marshal.SizeOf<Question>()];
        MemoryMarshal.Write(packet.AsSpan(EthernetHeader), in question);
        var answer = program.TestRun(packet).ReturnValue;
        Assert.NotEqual(Unreadable, answer);
        return answer;
    }

    /// <summary><c>struct ebc_test_question</c>.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct Question(Svc Svc, Addr Addr, U16Be Port, ushort Pad, uint From, uint Count, uint Hint)
    {
        public Question(Svc svc, Addr addr, U16Be port, uint from, uint count, uint hint) : this(svc, addr, port, 0, from, count, hint)
        {
        }
    }
}

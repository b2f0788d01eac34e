using System.Buffers.Binary;
using System.Net;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>
/// Test runs of packet programs through the wrapper of bpf/test/bench.bpf.c, which restores the packet before each repetition. The calling
/// thread must be in the node's namespace: the kernel looks up the device there.
/// </summary>
internal sealed class PacketBench : IDisposable
{
    private readonly BpfObject _object;
    private readonly BpfProgram _plain, _tunnelled, _empty;
    private readonly BpfMap _programs, _bss;
    private readonly MappedArray<PacketTemplate> _template;
    private readonly Dictionary<BpfProgram, uint> _known = [];

    public PacketBench()
    {
        _object = BpfObject.Open(Repository.BpfObject("test/bench"));
        _object.Load();
        _plain = _object.GetProgram("ebc_bench_plain");
        _tunnelled = _object.GetProgram("ebc_bench_tunnelled");
        _empty = _object.GetProgram("ebc_bench_empty");
        _programs = _object.GetMap("ebc_bench_progs");
        _bss = _object.GetMap(".bss");
        _template = _bss.MapArray<PacketTemplate>();
    }

    /// <summary>The baseline, the cost of the wrapper: the same runs with an empty program.</summary>
    public BpfTestRunResult RunEmpty(PacketCase @case, int repeat) =>
        Run(_empty, @case.Enters, @case.Packet, @case.Flows, null, repeat);

    /// <summary>Runs the program of a case on its packet.</summary>
    /// <param name="flow">The number of the flow; null: each repetition gets the next one.</param>
    /// <exception cref="InvalidOperationException">The result of the last repetition is not the expected one.</exception>
    public BpfTestRunResult Run(TcObjects objects, PacketCase @case, int repeat = 1, uint? flow = null)
    {
        var result = Run(objects.Program(@case.Enters.Hook), @case.Enters, @case.Packet, flow is null ? @case.Flows : 0, flow, repeat);
        return @case.Wrong(result.ReturnValue, result.Packet) is { } wrong ? throw new InvalidOperationException(wrong) : result;
    }

    /// <summary>Establishes the connections of a case: SYN, SYN-ACK and a segment; for UDP three datagrams.</summary>
    public void Establish(TcObjects objects, PacketCase @case)
    {
        if (@case.Answers is not { } answers)
            return;
        var opening = @case with { Packet = @case.Packet with { Flags = TcpFlags.Syn } };
        for (var flow = 0u; flow < @case.Flows; flow++)
        {
            uint? number = @case.Flows == 1 ? null : flow;
            var answer = Flow.Of(Run(objects, opening, 1, number).Packet).Answer(answers, TcpFlags.SynAck);
            var answered = Run(objects.Program(answers.Hook), answers, answer, 1, null, 1);
            var back = Flow.Of(answered.Packet);
            if (!back.Src.Equals(IPAddress.Parse(@case.Packet.Dst)) || back.Sport != @case.Packet.Dport)
                throw new InvalidOperationException($"{@case.Name}: the answer became {back}, the verdict is {(int)answered.ReturnValue}");
            Run(objects, @case, 1, number);
        }
    }

    public void Dispose()
    {
        _template.Dispose();
        foreach (var owned in new IDisposable[] { _bss, _programs, _plain, _tunnelled, _empty, _object })
            owned.Dispose();
    }

    private BpfTestRunResult Run(BpfProgram program, Place enters, Packet packet, uint flows, uint? flow, int repeat)
    {
        var bytes = (packet with { SrcMac = enters.Src, DstMac = enters.Dst }).Bytes();
        ref var template = ref _template.Span[0];
        template.Take(bytes);
        template.Program = Index(program);
        template.Flows = flows;
        template.Flow = flow ?? template.Flow;
        template.Peer = BinaryPrimitives.ReadUInt32BigEndian(IPAddress.Parse(MeasuredNode.Peer4).GetAddressBytes());
        template.Vni = NodeEnd.Vni;
        template.Marked = enters.From == 0 ? 0u : 1u;
        var context = new SkBuffContext { Ifindex = enters.Ifindex, IngressIfindex = enters.From };
        return (enters.Unpacked ? _tunnelled : _plain).TestRun(bytes, context, repeat);
    }

    private uint Index(BpfProgram program)
    {
        if (_known.TryGetValue(program, out var index))
            return index;
        index = (uint)_known.Count;
        _programs.SetProgram(index, program);
        _known.Add(program, index);
        return index;
    }
}

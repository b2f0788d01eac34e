using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Kernel.Tests.Fixtures;

/// <summary>Programs/hooks.bpf.c, loaded.</summary>
public sealed class HooksObject : IDisposable
{
    public const uint ModeReport = 7;

    private readonly BpfObject _object;

    /// <param name="verdict">What tc_first returns.</param>
    public HooksObject(int verdict = -1, uint mode = 0)
    {
        _object = BpfObject.Open(TestPrograms.Path("hooks"));
        try
        {
            _object.SetReadOnlyGlobal("config", new TestConfig { Verdict = (uint)verdict, Mode = mode });
            _object.Load();
            Packets = _object.GetMap("packets");
        }
        catch
        {
            _object.Dispose();
            throw;
        }
    }

    public BpfMap Packets { get; }

    /// <summary>How often the programs counting in that slot ran.</summary>
    public ulong Count(uint slot)
    {
        var perCpu = new ulong[BpfMap.PossibleCpus];
        Packets.LookupPerCpu<uint, ulong>(slot, perCpu);
        return perCpu.Aggregate(0ul, (sum, value) => sum + value);
    }

    public BpfProgram Program(string name) => _object.GetProgram(name);

    public BpfMap Map(string name) => _object.GetMap(name);

    public void Dispose()
    {
        Packets.Dispose();
        _object.Dispose();
    }
}

/// <summary>struct test_config</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TestConfig
{
    public uint Verdict;
    public uint Mode;
}

/// <summary>struct test_record</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TestRecord
{
    public uint Length;
    public uint Mark;
}

using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class BpfObjectTests : PrivilegedTest
{
    private BpfObject Open(string name = "hooks") => Own(BpfObject.Open(TestPrograms.Path(name)));

    [Fact]
    public void Programs_and_maps_outlive_the_object()
    {
        BpfProgram program;
        BpfMap map;
        using (var file = BpfObject.Open(TestPrograms.Path("hooks")))
        {
            file.Load();
            program = Own(file.GetProgram("tc_first"));
            map = Own(file.GetMap("packets"));
        }
        Assert.Equal(("tc_first", BpfProgramType.TrafficClassifier), (program.Name, program.Type));
        Assert.Equal(3u, program.TestRun(Packet).ReturnValue);
        var counts = new ulong[BpfMap.PossibleCpus];
        map.LookupPerCpu<uint, ulong>(0, counts);
        Assert.Equal(1ul, counts.Aggregate((a, b) => a + b));
    }

    [Fact]
    public void Read_only_globals_are_set_before_loading()
    {
        var file = Open();
        file.SetReadOnlyGlobal("config", new TestConfig { Verdict = 42 });
        Assert.Throws<ArgumentException>(() => file.SetReadOnlyGlobal("config", 1u));
        Assert.Throws<ArgumentException>(() => file.SetReadOnlyGlobal("nonsense", 1u));
        file.Load();
        Assert.Equal(42u, Own(file.GetProgram("tc_first")).TestRun(Packet).ReturnValue);
        Assert.Throws<InvalidOperationException>(() => file.SetReadOnlyGlobal("config", default(TestConfig)));
    }

    [Fact]
    public void Maps_are_sized_before_loading()
    {
        var file = Open();
        file.SetMaxEntries("shapes", 99);
        Assert.Equal(99u, file.Maps.Single(map => map.Name == "shapes").MaxEntries);
        file.Load();
        Assert.Equal(99u, Own(file.GetMap("shapes")).Info.MaxEntries);
        Assert.Throws<InvalidOperationException>(() => file.SetMaxEntries("shapes", 1));
    }

    [Fact]
    public void A_map_is_reused_and_another_layout_refused()
    {
        var first = Open();
        first.Load();
        var map = Own(first.GetMap("packets"));
        var second = Open();
        Assert.Throws<ArgumentException>(() => second.ReuseMap("shapes", map));
        second.ReuseMap("packets", map);
        second.Load();
        Assert.Equal(map.Info.Id, Own(second.GetMap("packets")).Info.Id);
    }

    [Fact]
    public void A_tail_call_reaches_the_program_that_its_array_was_given()
    {
        var file = Open("jump");
        file.Load();
        var (jump, targets) = (Own(file.GetProgram("jump")), Own(file.GetMap("targets")));
        Assert.Equal(4u, jump.TestRun(Packet).ReturnValue);
        targets.SetProgram(1, Own(file.GetProgram("target")));
        Assert.Equal(5u, jump.TestRun(Packet).ReturnValue);
        Assert.Throws<KernelException>(() => targets.SetProgram(2, jump));
    }

    [Fact]
    public void A_program_switched_off_is_not_loaded()
    {
        var file = Open("refused");
        file.SetAutoLoad("refused", false);
        file.Load();
        Own(file.GetProgram("accepted"));
        Assert.Throws<InvalidOperationException>(() => file.GetProgram("refused"));
    }

    [Fact]
    public void The_verifiers_last_lines_name_the_program_and_the_cause()
    {
        var error = Assert.Throws<BpfLoadException>(Open("refused").Load);
        Assert.Equal(("refused", Errno.EACCES), (error.Program, error.Errno));
        Assert.Contains("invalid access to packet", error.Message, StringComparison.Ordinal);
        Assert.Contains("invalid access to packet", string.Join('\n', error.LastLines), StringComparison.Ordinal);
        Assert.True(error.FullLog.Length > error.LastLines.Sum(line => line.Length));
    }

    [Fact]
    public void A_program_of_instructions_is_refused_with_the_verifiers_words()
    {
        var error = Assert.Throws<BpfLoadException>(() => BpfProgram.Load("ebc_empty", BpfProgramType.Xdp, [BpfInstruction.Exit]));
        Assert.Contains("R0 !read_ok", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_map_that_cannot_be_made_is_named_at_load()
    {
        var file = Open();
        file.SetMaxEntries("shapes", uint.MaxValue);
        var error = Assert.Throws<KernelException>(file.Load);
        Assert.Contains("shapes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_names_are_answered_with_the_known_ones()
    {
        var file = Open();
        file.Load();
        Assert.Contains("tc_first", Assert.Throws<ArgumentException>(() => file.GetProgram("tc_none")).Message, StringComparison.Ordinal);
        Assert.Contains("packets", Assert.Throws<ArgumentException>(() => file.GetMap("none")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Before_loading_there_is_nothing_to_get()
    {
        Assert.Throws<InvalidOperationException>(() => Open().GetMap("packets"));
        Assert.Throws<InvalidOperationException>(() => Open().GetProgram("tc_first"));
    }

    [Fact]
    public void A_test_run_takes_and_returns_packet_and_context()
    {
        var hooks = Own(new HooksObject(verdict: 2));
        var program = Own(hooks.Program("tc_first"));
        var result = program.TestRun(Packet, new SkBuffContext { Mark = 7 }, repeat: 10);
        Assert.Equal(2u, result.ReturnValue);
        Assert.Equal(Packet, result.Packet);
        Assert.Equal(17u, result.Context?.Mark);
        Assert.Equal(10ul, hooks.Count(0));
        Assert.Throws<KernelException>(() => program.TestRun([1, 2, 3]));
    }

    private static byte[] Packet { get; } = new byte[64];
}

using System.Globalization;
using System.Text.RegularExpressions;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Dataplane.Tests.Kernel;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Loading;

/// <summary>
/// What the kernel charges for the maps of all objects in the sizes for a node's memory, empty: what is allocated as it fills is not
/// counted.
/// </summary>
public sealed partial class TableMemoryTests : IDisposable
{
    private const double MiB = 1 << 20;
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Theory, InlineData(false), InlineData(true)]
    public void All_tables_of_a_node_of_four_gibibytes_take_64_mebibytes_at_most(bool keepSource)
    {
        var taken = Measure(_ground.Options.With(TableSizes.For(4L << 30)) with { KeepExternalSource = keepSource });
        Assert.InRange(taken, 32 * MiB, 64 * MiB);
    }

    [Theory, InlineData(4), InlineData(16), InlineData(64), InlineData(256)]
    public void The_page_says_what_the_kernel_charges(int gibibytes)
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));
        var row = RowPattern().Matches(page).Single(m => m.Groups[1].Value == gibibytes.ToString(CultureInfo.InvariantCulture));
        var said = double.Parse(row.Groups[2].Value, CultureInfo.InvariantCulture);
        var taken = Measure(_ground.Options.With(TableSizes.For((long)gibibytes << 30))) / MiB;
        Assert.True(Math.Abs(said - taken) <= said / 20, $"{gibibytes} GiB: measured {taken:0.0} MiB, the page says {said}");
    }

    [Fact]
    public void Tables_that_no_program_uses_take_nothing()
    {
        var options = _ground.Options.With(TableSizes.For(4L << 30)) with { KeepExternalSource = true };
        var with = Measure(options);
        Directory.Delete(_ground.Options.BpffsRoot, recursive: true);
        var without = Measure(options with { KeepExternalSource = false, SocketLb = SocketLbMode.Off });
        Assert.True(with - without > 5 * MiB, $"{with / MiB:0.0} and {without / MiB:0.0} MiB");
    }

    /// <summary>Every map of every object that is loaded, once; also those that each object has for itself.</summary>
    private static long Measure(DataplaneOptions options)
    {
        var pins = new PinLayout(options.BpffsRoot);
        BpfFileSystem.Ensure(options.BpffsRoot);
        pins.Create();
        using var maps = new MapLoader(pins, options, []);
        var loader = new ProgramLoader(options, maps, default);
        var found = new Dictionary<uint, (string Name, long Memory)>();
        string[] objects = [ProgramLoader.Pod, ProgramLoader.Uplink, ProgramLoader.Overlay, ProgramLoader.Socket];
        foreach (var file in objects)
        {
            using var loaded = loader.Load(file);
            foreach (var spec in loaded.Maps)
            {
                using var map = loaded.GetMap(spec.Name);
                found[map.Info.Id] = (spec.Name, map.ReadMemory());
            }
        }
        foreach (var (name, memory) in found.Values.OrderByDescending(m => m.Memory))
            Console.WriteLine($"figure: {name,-18} {memory / MiB:0.00} MiB");
        Console.WriteLine($"figure: all tables {found.Values.Sum(m => m.Memory) / MiB:0.0} MiB");
        return found.Values.Sum(m => m.Memory);
    }

    [GeneratedRegex(@"(?m)^\| (\d+) GiB \|.*\| (\d+) MiB \|$")]
    private static partial Regex RowPattern();
}

using System.Text;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>
/// Every folder below testdata: in.txt is compiled step by step and the text of each state compared with desired.txt.
/// UPDATE_GOLDEN=1 writes desired.txt instead. Each case ends with everything deleted.
/// </summary>
public sealed class GoldenCases
{
    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "Ebpf.Cni.Compiler.Tests", "testdata");

    public static TheoryData<string> All() =>
        [.. Directory.EnumerateDirectories(Folder).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    [Theory, MemberData(nameof(All))]
    public void Case(string name)
    {
        var expected = Path.Combine(Folder, name, "desired.txt");
        var actual = Compile(SnapshotText.Read(File.ReadAllText(Path.Combine(Folder, name, "in.txt"))));
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
            File.WriteAllText(expected, actual);
        Assert.Equal(File.ReadAllText(expected), actual);
    }

    [Fact]
    public void There_are_cases() => Assert.True(All().Count >= 15);

    private static string Compile(List<Step> steps)
    {
        var text = new StringBuilder();
        var compiler = new IncrementalCompiler();
        var ids = steps[0].Restored;
        foreach (var step in steps)
        {
            if (text.Length > 0)
                text.Append("---- then\n");
            var state = compiler.Compile(step.Cluster, step.Node, ids);
            Assert.Equal(DesiredStateText.Write(ClusterCompiler.Compile(step.Cluster, step.Node, ids)), DesiredStateText.Write(state));
            text.Append(DesiredStateText.Write(state));
            ids = state.Ids;
        }
        var empty = compiler.Compile(
            ClusterSnapshot.Empty, steps[^1].Node with { HostPorts = [], MasqueradeExempt = [], NodeAddresses = [] }, ids);
        Assert.Equal(
            DesiredStateText.Write(DesiredState.Empty with { Ids = IdTable.Empty with { Next = ids.Next } }),
            DesiredStateText.Write(empty));
        return text.ToString();
    }
}

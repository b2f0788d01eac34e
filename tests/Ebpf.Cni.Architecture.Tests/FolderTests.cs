using ArchUnitNET.Domain;
using ArchUnitNET.Fluent.Slices;
using ArchUnitNET.Loader;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>
/// Folders of a project depend on each other in one direction. A folder is a namespace directly below the project's; what lies beside
/// the folders may use all of them, and none may use it.
/// </summary>
public sealed class FolderTests
{
    public static TheoryData<string> Projects() => [.. Project.InSrc.Select(p => p.Name).Except(Directions.WithCircles)];

    [Theory, MemberData(nameof(Projects))]
    public void Folders_have_no_circle(string name) => Assert.Empty(Circles(name));

    /// <summary>The exceptions are true: a project that has lost its circles leaves the list.</summary>
    [Fact]
    public void Control_circles_are_found() => Assert.All(Directions.WithCircles, name => Assert.NotEmpty(Circles(name)));

    [Theory, MemberData(nameof(Projects))]
    public void No_folder_uses_what_lies_beside_it(string name)
    {
        var architecture = Load(name);
        var beside = architecture.Types.Where(t => t.Namespace.FullName == name).ToHashSet();
        Assert.Empty(architecture.Types
            .Where(t => t.Namespace.FullName.StartsWith(name + ".", StringComparison.Ordinal))
            .SelectMany(t => t.Dependencies.Where(d => beside.Contains(d.Target)).Select(d => $"{t.FullName} uses {d.Target.FullName}"))
            .Distinct());
    }

    private static List<string> Circles(string name) =>
    [
        .. SliceRuleDefinition.Slices().Matching($"{name}.(*)").Should().BeFreeOfCycles().Evaluate(Load(name))
            .Where(r => !r.Passed).Select(r => r.Description),
    ];

    private static ArchUnitNET.Domain.Architecture Load(string name)
    {
        var path = Project.InSrc.Single(p => p.Name == name).AssemblyPath;
        return new ArchLoader().LoadFilteredDirectory(Path.GetDirectoryName(path)!, Path.GetFileName(path)).Build();
    }
}

using ArchUnitNET.Domain;
using ArchUnitNET.Loader;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>
/// Folders of a project depend on each other in one direction. A folder is a namespace directly below the project's; what lies beside the
/// folders counts as one of its own, either above all of them or below.
/// </summary>
public sealed class FolderTests
{
    private const string Beside = "(beside the folders)";

    public static TheoryData<string> Projects() => [.. Project.InSrc.Select(p => p.Name).Except(Directions.WithCircles)];

    [Theory, MemberData(nameof(Projects))]
    public void Folders_have_no_circle(string name) => Assert.True(Circle(name).Count == 0, string.Join("\n", Circle(name)));

    /// <summary>A project that has lost its circles leaves the list.</summary>
    [Fact]
    public void Control_circles_are_found() => Assert.All(Directions.WithCircles, name => Assert.NotEmpty(Circle(name)));

    /// <returns>One use of each folder by another that is in a circle with it, or between two circles.</returns>
    private static List<string> Circle(string name)
    {
        var path = Project.InSrc.Single(p => p.Name == name).AssemblyPath;
        var types = new ArchLoader().LoadFilteredDirectory(Path.GetDirectoryName(path)!, Path.GetFileName(path)).Build().Types;
        var uses = types.Where(t => FolderOf(name, t) is not null)
            .SelectMany(t => t.Dependencies.Where(d => d.Target is not GenericParameter),
                (t, d) => (From: FolderOf(name, t)!, To: FolderOf(name, d.Target), Text: $"{t.Name} uses {d.Target.Name}"))
            .Where(u => u.To is not null && u.To != u.From)
            .DistinctBy(u => (u.From, u.To)).ToList();
        // What nothing uses, and what uses nothing, is in no circle; what is left when these are gone is.
        while (uses.RemoveAll(u => uses.TrueForAll(v => v.To != u.From) || uses.TrueForAll(v => v.From != u.To)) > 0)
        {
        }

        return [.. uses.Select(u => $"{u.From} → {u.To}: {u.Text}")];
    }

    /// <returns>Null for types of other projects, and for those that the compiler makes.</returns>
    private static string? FolderOf(string project, IType type)
    {
        var space = type.Namespace?.FullName ?? "";
        return space == project ? Beside
            : space.StartsWith(project + ".", StringComparison.Ordinal) ? space[(project.Length + 1)..].Split('.')[0] : null;
    }
}

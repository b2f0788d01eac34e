using ArchUnitNET.Domain;
using ArchUnitNET.Loader;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>
/// Folders of a project depend on each other in one direction. A folder is a namespace directly below the project's. Types beside the
/// folders count as one more folder, above or below all others.
/// </summary>
public sealed class FolderTests
{
    private const string Beside = "(beside the folders)";

    public static TheoryData<string> Projects() => [.. Project.InSrc.Select(p => p.Name)];

    [Theory, MemberData(nameof(Projects))]
    public void Folders_have_no_circle(string name) =>
        Assert.Equal("", string.Join("\n", InCircles(UsesIn(name)).Select(u => $"{u.From} → {u.To}: {u.Text}")));

    [Fact]
    public void Control_uses_between_folders_are_found() => Assert.NotEmpty(UsesIn("Ebpf.Cni.Sandbox"));

    [Theory]
    [InlineData("ab ba", "ab ba")]
    [InlineData("ab bc ca cd ea", "ab bc ca")]
    [InlineData("ab bc ac", "")]
    public void Control_circles_are_found(string uses, string circle)
    {
        var found = InCircles([.. uses.Split(' ').Select(u => new FolderUse(u[..1], u[1..], u))]);
        Assert.Equal(circle, string.Join(' ', found.Select(u => u.Text)));
    }

    /// <param name="Text">One type that uses another.</param>
    private sealed record FolderUse(string From, string To, string Text);

    /// <returns>One use of each folder by each other.</returns>
    private static List<FolderUse> UsesIn(string project)
    {
        var path = Project.InSrc.Single(p => p.Name == project).AssemblyPath;
        var types = new ArchLoader().LoadFilteredDirectory(Path.GetDirectoryName(path)!, Path.GetFileName(path)).Build().Types;
        var uses =
            from type in types
            let user = FolderOf(project, type)
            where user is not null
            from dependency in type.Dependencies
            where dependency.Target is not GenericParameter // the loader gives it any namespace
            let used = FolderOf(project, dependency.Target)
            where used is not null && used != user
            select new FolderUse(user, used, $"{type.Name} uses {dependency.Target.Name}");
        return [.. uses.DistinctBy(u => (u.From, u.To))];
    }

    /// <returns>The uses that are in a circle, or between two circles.</returns>
    private static List<FolderUse> InCircles(List<FolderUse> uses)
    {
        // A folder that no use leads to, or none from, is in no circle; the uses left when these are gone are.
        while (uses.RemoveAll(u => uses.TrueForAll(v => v.To != u.From) || uses.TrueForAll(v => v.From != u.To)) > 0)
        {
        }

        return uses;
    }

    /// <returns>Null for types of other projects, and for those that the compiler makes.</returns>
    private static string? FolderOf(string project, IType type)
    {
        var space = type.Namespace?.FullName ?? "";
        return space == project ? Beside
            : space.StartsWith(project + ".", StringComparison.Ordinal) ? space[(project.Length + 1)..].Split('.')[0] : null;
    }
}

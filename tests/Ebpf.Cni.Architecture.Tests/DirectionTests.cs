using System.Xml.Linq;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Architecture.Tests;

public sealed class DirectionTests
{
    public static TheoryData<string> Projects() => [.. Project.InSrc.Select(p => p.Name)];

    [Fact]
    public void Every_project_has_a_rule_and_every_rule_a_project() =>
        Assert.Equal(Project.InSrc.Select(p => p.Name), Directions.Allowed.Keys.Order(StringComparer.Ordinal));

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = File.ReadAllText(Path.Combine(Repository.Root, "Ebpf.Cni.sln"));
        Assert.All(Project.InSrc.Concat(Project.InTests), p => Assert.Contains($"{p.Name}.csproj\"", solution, StringComparison.Ordinal));
    }

    [Fact]
    public void The_rules_have_no_circle() =>
        Assert.All(Directions.Allowed.Keys, p => Assert.DoesNotContain(p, Directions.Reachable(p)));

    [Theory, MemberData(nameof(Projects))]
    public void A_project_references_only_what_it_may(string name)
    {
        var project = Find(name);
        Assert.Empty(project.ProjectReferences.Except(Directions.Allowed[name]));
        Assert.Equal(name == Directions.OwnerOfNativeCode, project.AllowsUnsafe);
        if (Directions.WithoutPackages.Contains(name))
            Assert.Empty(project.PackageReferences);
        if (Directions.FewPackages.TryGetValue(name, out var few))
            Assert.Equal(few, project.PackageReferences);
        if (name != Directions.OwnerOfKubernetesClient)
            Assert.DoesNotContain(project.PackageReferences, IsKubernetesClient);
    }

    [Theory, MemberData(nameof(Projects))]
    public void Compiled_code_uses_only_what_it_may(string name)
    {
        var assembly = Find(name).AssemblyPath;
        var used = Project.AssemblyReferences(assembly);
        var ours = Project.InSrc.ToDictionary(p => p.AssemblyName, p => p.Name);
        Assert.Empty(used.Where(ours.ContainsKey).Select(a => ours[a]).Except(Directions.Reachable(name)));
        if (name != Directions.OwnerOfKubernetesClient)
            Assert.DoesNotContain(used, IsKubernetesClient);
        if (Directions.WithoutPackages.Contains(name))
            Assert.DoesNotContain(used, a => !IsBaseLibrary(a) && !ours.ContainsKey(a));
        if (name != Directions.OwnerOfNativeCode)
            Assert.Empty(Project.NativeMethods(assembly));
    }

    [Fact]
    public void Versions_of_packages_are_in_one_place() =>
        Assert.All(Project.InSrc.Concat(Project.InTests), p => Assert.Empty(VersionedReferences(p.Csproj)));

    [Fact]
    public void Control_the_detectors_fire()
    {
        // this assembly uses what src must not, the kernel's has native methods
        var self = typeof(DirectionTests).Assembly.Location;
        Assert.Contains(Project.AssemblyReferences(self), a => a == "Ebpf.Cni.Testing");
        Assert.NotEmpty(Project.NativeMethods(Find(Directions.OwnerOfNativeCode).AssemblyPath));
        Assert.Contains(Project.AssemblyReferences(Find(Directions.OwnerOfKubernetesClient).AssemblyPath), IsKubernetesClient);

        var bad = new Project("X", "", XDocument.Parse("""
            <Project>
              <PropertyGroup><AllowUnsafeBlocks>true</AllowUnsafeBlocks><AssemblyName>x</AssemblyName></PropertyGroup>
              <ItemGroup>
                <ProjectReference Include="..\Ebpf.Cni.Agent\Ebpf.Cni.Agent.csproj" />
                <PackageReference Include="KubernetesClient.Aot" Version="1.0.0" />
              </ItemGroup>
            </Project>
            """));
        Assert.Equal(["Ebpf.Cni.Agent"], bad.ProjectReferences);
        Assert.Contains(bad.PackageReferences, IsKubernetesClient);
        Assert.True(bad.AllowsUnsafe);
        Assert.Equal("x", bad.AssemblyName);
        Assert.Single(VersionedReferences(bad.Csproj));
    }

    private static Project Find(string name) => Project.InSrc.Single(p => p.Name == name);

    private static bool IsBaseLibrary(string name) =>
        name.StartsWith("System", StringComparison.Ordinal) || name == "Microsoft.Win32.Primitives";

    private static bool IsKubernetesClient(string name) => name.StartsWith("KubernetesClient", StringComparison.Ordinal);

    private static IEnumerable<XElement> VersionedReferences(XDocument csproj) =>
        csproj.Descendants("PackageReference").Where(r => r.Attribute("Version") is not null);
}

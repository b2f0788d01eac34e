using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>A project as its csproj and its compiled assembly show it.</summary>
internal sealed record Project(string Name, string Folder, XDocument Csproj)
{
    public static IReadOnlyList<Project> InSrc { get; } = Find("src");

    public static IReadOnlyList<Project> InTests { get; } = Find("tests");

    /// <summary>Names of referenced projects.</summary>
    public IReadOnlyList<string> ProjectReferences => References(Csproj, "ProjectReference")
        .Select(r => Path.GetFileNameWithoutExtension(r.Replace('\\', '/'))).ToList();

    public IReadOnlyList<string> PackageReferences => References(Csproj, "PackageReference");

    public bool AllowsUnsafe => Csproj.Descendants("AllowUnsafeBlocks").Any(e => e.Value == "true");

    public string AssemblyName => Csproj.Descendants("AssemblyName").Select(e => e.Value).FirstOrDefault() ?? Name;

    /// <summary>The assembly built with this test's configuration.</summary>
    public string AssemblyPath
    {
        get
        {
            // …/bin/<configuration>/<framework>/
            var output = new DirectoryInfo(AppContext.BaseDirectory);
            return Path.Combine(Folder, "bin", output.Parent!.Name, output.Name, AssemblyName + ".dll");
        }
    }

    /// <summary>Names of the assemblies that the compiled code uses.</summary>
    public static List<string> AssemblyReferences(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        return metadata.AssemblyReferences.Select(r => metadata.GetString(metadata.GetAssemblyReference(r).Name)).ToList();
    }

    /// <summary>Methods that are bound to a native library.</summary>
    public static List<string> NativeMethods(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        return metadata.MethodDefinitions.Select(metadata.GetMethodDefinition)
            .Where(m => m.Attributes.HasFlag(MethodAttributes.PinvokeImpl))
            .Select(m => metadata.GetString(m.Name)).ToList();
    }

    private static List<string> References(XDocument csproj, string kind) =>
        csproj.Descendants(kind).Select(e => e.Attribute("Include")?.Value ?? "").ToList();

    private static List<Project> Find(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.csproj", SearchOption.AllDirectories)
            .Select(f => new Project(Path.GetFileNameWithoutExtension(f), Path.GetDirectoryName(f)!, XDocument.Load(f)))
            .OrderBy(p => p.Name, StringComparer.Ordinal).ToList();
}

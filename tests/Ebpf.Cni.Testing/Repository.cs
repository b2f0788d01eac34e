namespace Ebpf.Cni.Testing;

/// <summary>Paths inside the checkout, found from where the test runs.</summary>
public static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>A built BPF object: "socket" or "pod".</summary>
    /// <exception cref="FileNotFoundException">It was not built; says how.</exception>
    public static string BpfObject(string name)
    {
        var path = Path.Combine(Root, "build", "bpf", name + ".bpf.o");
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: run `make bpf`");
    }

    /// <summary>A file published by `make publish`, below artifacts/.</summary>
    /// <exception cref="FileNotFoundException">It was not published; says how.</exception>
    public static string Artifact(string relative)
    {
        var path = Path.Combine(Root, "artifacts", relative);
        return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: run `make publish`");
    }

    private static string FindRoot()
    {
        for (var dir = new DirectoryInfo(AppContext.BaseDirectory); dir is not null; dir = dir.Parent)
            if (File.Exists(Path.Combine(dir.FullName, "Ebpf.Cni.sln")))
                return dir.FullName;
        throw new DirectoryNotFoundException("Ebpf.Cni.sln is not above " + AppContext.BaseDirectory);
    }
}

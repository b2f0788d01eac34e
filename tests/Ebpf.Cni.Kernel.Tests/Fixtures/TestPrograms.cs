using System.Diagnostics;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kernel.Tests.Fixtures;

/// <summary>The sources in Programs/, compiled once a run.</summary>
public static class TestPrograms
{
    private static readonly Lazy<string> Directory = new(CompileAll);

    /// <summary>The compiled object; skips the test where there is no clang.</summary>
    public static string Path(string name)
    {
        Assert.SkipUnless(Compiler is not null, "needs clang (or clang-14) on PATH");
        return System.IO.Path.Combine(Directory.Value, name + ".bpf.o");
    }

    private static string? Compiler => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .SelectMany(directory => new[] { "clang", "clang-14" }.Select(name => System.IO.Path.Combine(directory, name)))
        .FirstOrDefault(File.Exists);

    private static string CompileAll()
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("ebc-kernel-tests-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => System.IO.Directory.Delete(directory, recursive: true);
        var sources = System.IO.Path.Combine(Repository.Root, "tests", "Ebpf.Cni.Kernel.Tests", "Programs");
        foreach (var source in System.IO.Directory.GetFiles(sources, "*.bpf.c"))
            Compile(source, System.IO.Path.Combine(directory, System.IO.Path.GetFileNameWithoutExtension(source) + ".o"));
        return directory;
    }

    private static void Compile(string source, string target)
    {
        // Debian keeps asm/types.h in the multiarch directory, which the BPF target does not look into
        var machine = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture
            == System.Runtime.InteropServices.Architecture.Arm64 ? "aarch64" : "x86_64";
        using var process = Process.Start(new ProcessStartInfo(Compiler!,
        [
            "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror", $"-I/usr/include/{machine}-linux-gnu", "-c", source, "-o",
                target,
        ])
        {
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{source} does not compile:\n{errors}");
    }
}

using System.Diagnostics;
using System.Runtime.InteropServices;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Abi.Tests;

/// <summary>C written by a test, after all shared headers, compiled as the programs are.</summary>
internal sealed class CompiledC : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("ebpf-cni-abi-");

    private CompiledC(string source)
    {
        Path = System.IO.Path.Combine(_directory.FullName, "test.bpf.o");
        var text = string.Join('\n', Headers.Select(h => $"#include \"{h}\"").Append("#include <stddef.h>").Append(source));
        var file = System.IO.Path.Combine(_directory.FullName, "test.bpf.c");
        File.WriteAllText(file, text + "\n");
        Diagnostics = Run(file);
    }

    public static IReadOnlyList<string> Headers { get; } =
        [.. Directory.GetFiles(System.IO.Path.Combine(Repository.Root, "bpf", "include", "abi"), "*.h").Order()];

    public string Path { get; }

    private string Diagnostics { get; }

    /// <summary>An object file of <paramref name="source"/>.</summary>
    public static CompiledC Object(string source)
    {
        var compiled = new CompiledC(source);
        Assert.Equal("", compiled.Diagnostics);
        return compiled;
    }

    /// <summary>What the compiler says; empty if it is content.</summary>
    public static string Errors(string source)
    {
        using var compiled = new CompiledC(source);
        return compiled.Diagnostics;
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private string Run(string file)
    {
        Assert.SkipUnless(Clang is not null, "needs clang on PATH");
        var machine = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "aarch64" : "x86_64";
        var multiarch = $"/usr/include/{machine}-linux-gnu";
        using var clang = Process.Start(
            new ProcessStartInfo(Clang!, ["-target", "bpf", "-O2", "-g", "-Wall", "-Werror", "-I" + multiarch, "-c", file, "-o", Path])
        {
            RedirectStandardError = true,
        })!;
        var errors = clang.StandardError.ReadToEnd();
        clang.WaitForExit();
        return clang.ExitCode == 0 ? "" : errors.Length > 0 ? errors : "clang failed";
    }

    private static string? Clang { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .SelectMany(d => new[] { System.IO.Path.Combine(d, "clang"), System.IO.Path.Combine(d, "clang-14") }).FirstOrDefault(File.Exists);
}

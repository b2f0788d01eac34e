using System.Diagnostics;
using System.Formats.Tar;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>
/// An image of one file, programs/pod.c linked statically: made on the spot, so that no registry is asked.
/// </summary>
internal static class ContainerImage
{
    /// <summary>Under this name containerd knows it.</summary>
    public const string Name = "ebpf-cni.test/pod:1";

    /// <summary>Where the program listens, TCP and UDP.</summary>
    public const int Port = 8080;

    /// <exception cref="InvalidOperationException">The compiler failed; carries what it said.</exception>
    public static void Write(string archive, string scratch)
    {
        var program = Path.Combine(scratch, "pod");
        Compile(Path.Combine(AppContext.BaseDirectory, "programs", "pod.c"), program);
        OciArchive.Write(archive, Name, Layer(program), ["/pod", $"{Port}"]);
    }

    private static void Compile(string source, string program)
    {
        using var compiler = Process.Start(new ProcessStartInfo("gcc", ["-static", "-Os", "-s", "-o", program, source])
            { RedirectStandardError = true })!;
        var said = compiler.StandardError.ReadToEnd();
        compiler.WaitForExit();
        if (compiler.ExitCode != 0)
            throw new InvalidOperationException($"gcc cannot make {program}: {said.Trim()}");
    }

    private static byte[] Layer(string program)
    {
        using var memory = new MemoryStream();
        using (var tar = new TarWriter(memory, leaveOpen: true))
            OciArchive.Add(tar, "pod", File.ReadAllBytes(program));
        return memory.ToArray();
    }
}

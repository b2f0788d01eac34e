using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>How a test and a program in a pod tell each other "running" and "stop": by files, since they share a file system.</summary>
internal sealed class SignalFiles : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("ebpf-cni-e2e-");

    public string Started => Path.Combine(_directory.FullName, "started");

    public string Stop => Path.Combine(_directory.FullName, "stop");

    /// <summary>Waits for the program's first sign of life; its failure ends the wait.</summary>
    public Task WaitStarted(Task<ExecResult> program) => Eventually.True(
        () => program.IsCompleted ? throw new InvalidOperationException($"it ended at once: {program.Result.Errors}") : File.Exists(
            Started),
        "the program in the pod is running", TimeSpan.FromSeconds(60));

    public void RequestStop() => File.WriteAllText(Stop, "");

    public void Dispose()
    {
        RequestStop();
        _directory.Delete(recursive: true);
    }
}

/// <summary>What programs/stream.py counted.</summary>
/// <param name="Failures">Of all.</param>
/// <param name="OfHeld">Of the connections that were kept open.</param>
/// <param name="Held">How many these are.</param>
internal sealed record Streamed(
    int Exchanges, int Opened, IReadOnlyDictionary<string, int> Failures, IReadOnlyDictionary<string, int> OfHeld, int Held)
{
    public static Streamed Parse(ExecResult result)
    {
        var document = JsonNode.Parse(result.ThrowIfFailed().Output)!;
        return new Streamed(
            (int)document["exchanges"]!, (int)document["opened"]!, Counted("failures"), Counted("of_held"), (int)document["held"]!);

        Dictionary<string, int> Counted(string what) => document[what].Deserialize<Dictionary<string, int>>()!;
    }
}

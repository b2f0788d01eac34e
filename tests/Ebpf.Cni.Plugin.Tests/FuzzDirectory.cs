using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>A run directory without an agent: nothing but complete, queued DELs may ever be in it.</summary>
internal sealed class FuzzDirectory : IDisposable
{
    private readonly DirectoryInfo _run = Directory.CreateTempSubdirectory("ebc-fuzz-test-");

    public string Socket => Path.Combine(_run.FullName, "cni.sock");

    private string Queue => Path.Combine(_run.FullName, PendingDelete.DirectoryName);

    public void Dispose() => _run.Delete(recursive: true);

    /// <summary>What this run has left, which is then removed.</summary>
    public void CheckOnlyQueued(Dictionary<string, string> environment)
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(_run.FullName))
            Assert.Equal(Queue, entry);
        if (!Directory.Exists(Queue))
            return;
        foreach (var file in Directory.EnumerateFiles(Queue))
        {
            var pending = PendingDelete.Parse(File.ReadAllBytes(file));
            Assert.Equal(environment["CNI_CONTAINERID"], pending?.ContainerId);
            Assert.Equal(environment["CNI_IFNAME"], pending?.Ifname);
            Assert.Equal("DEL", environment["CNI_COMMAND"]);
            Assert.Equal(pending!.FileName, Path.GetFileName(file));
            File.Delete(file);
        }
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>Answers kubectl logs from the files that the kubelets keep. Lines carry no times: they are what the command wrote.</summary>
internal sealed class KubeletLogs(Func<string, NodeKubelet?> kubelet) : IPodLogs
{
    public async Task WriteAsync(JsonObject pod, HttpContext context, LogRequest request)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(request);
        var runner = kubelet(pod.Text("spec", "nodeName") ?? "");
        if (runner is null)
            throw ApiException.BadRequest(
                $"container \"{request.Container}\" in pod \"{pod.Name()}\" is waiting to start: no node runs it");
        var (directory, finished) = runner.LogsOf(pod, request.Container);
        var file = FileOf(directory, request.Previous);
        if (file is null && request.Previous)
            throw ApiException.BadRequest($"previous terminated container \"{request.Container}\" in pod \"{pod.Name()}\" not found");
        if (file is null)
            throw ApiException.BadRequest(
                $"container \"{request.Container}\" in pod \"{pod.Name()}\" is waiting to start: ContainerCreating");
        context.Response.ContentType = "text/plain; charset=utf-8";
        await using var log = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (request.TailLines is { } lines)
            SeekToTail(log, lines);
        await log.CopyToAsync(context.Response.Body, context.RequestAborted);
        if (request.Follow && !request.Previous)
            await FollowAsync(log, file, finished, context);
    }

    // one file a start, named by its number
    private static string? FileOf(string directory, bool previous) =>
        !Directory.Exists(directory) ? null : Directory.GetFiles(directory, "*.log")
        .OrderByDescending(file => int.Parse(Path.GetFileNameWithoutExtension(file), CultureInfo.InvariantCulture))
        .ElementAtOrDefault(previous ? 1 : 0);

    private static void SeekToTail(FileStream log, int lines)
    {
        var found = 0;
        var position = log.Length;
        // a newline that ends the file ends its last line; it does not begin another
        while (position > 0 && found <= lines)
        {
            log.Position = --position;
            if (log.ReadByte() == '\n' && position != log.Length - 1 && ++found == lines)
                break;
        }
        log.Position = lines == 0 ? log.Length : position == 0 && found < lines ? 0 : position + 1;
    }

    private static async Task FollowAsync(FileStream log, string file, Func<bool> finished, HttpContext context)
    {
        using var changes = new SemaphoreSlim(0);
        using var watcher = new FileSystemWatcher(Path.GetDirectoryName(file)!, Path.GetFileName(file));
        watcher.Changed += (_, _) => changes.Release();
        watcher.EnableRaisingEvents = true;
        var end = false;
        while (!end)
        {
            await context.Response.Body.FlushAsync(context.RequestAborted);
            end = finished() || !File.Exists(file); // asked before the last reading, so that nothing is missed
            await log.CopyToAsync(context.Response.Body, context.RequestAborted);
            if (!end)
                await changes.WaitAsync(TimeSpan.FromMilliseconds(250), context.RequestAborted); // an end of the container changes no file
        }
    }
}

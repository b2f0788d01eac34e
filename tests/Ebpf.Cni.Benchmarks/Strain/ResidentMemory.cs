using System.Globalization;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>The most that a process had in memory, looked at every 20 ms.</summary>
internal sealed class ResidentMemory : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Task _looking;
    private readonly int _pid;
    public ResidentMemory(int pid)
    {
        _pid = pid;
        _looking = LookAsync();
    }

    /// <summary>Bytes, now, of whichever process.</summary>
    public static long OfNow(int pid)
    {
        var status = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/status"));
        var line = status.Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line["VmRSS:".Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) << 10;
    }

    /// <summary>Bytes.</summary>
    public long Most { get; private set; }

    public void Dispose()
    {
        _end.Cancel();
        _looking.Wait();
        _end.Dispose();
    }

    private async Task LookAsync()
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!_end.IsCancellationRequested)
        {
            await tick.WaitForNextTickAsync();
            try
            {
                Most = Math.Max(Most, OfNow(_pid));
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                return; // it has ended
            }
        }
    }
}

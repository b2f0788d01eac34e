using System.Globalization;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>The most that a process had in memory, looked at every 20 ms.</summary>
internal sealed class ResidentMemory : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Task _looking;
    private readonly string _status;

    public ResidentMemory(int pid)
    {
        _status = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/status");
        _looking = LookAsync();
    }

    /// <summary>Bytes, now.</summary>
    public long Now
    {
        get
        {
            var line = File.ReadLines(_status).Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
            return long.Parse(line["VmRSS:".Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) << 10;
        }
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
            Most = Math.Max(Most, Now);
            await tick.WaitForNextTickAsync();
        }
    }
}

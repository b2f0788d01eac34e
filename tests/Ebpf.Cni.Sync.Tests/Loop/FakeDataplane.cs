using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>An apply of the loop, by timestamps of its clock.</summary>
internal readonly record struct Run(long Began, long Ended);

/// <summary>
/// The kernel in memory: the real service tables over fake ones, and steps before and after them that take time, fail or hang as told.
/// </summary>
internal sealed class FakeDataplane : IDataplane, IDisposable
{
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);
    private static readonly NodeApplyResult Nothing = new([], 0, []);

    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _released = new(true);
    private readonly List<Run> _runs = [];
    private readonly LoopClock _clock;
    private string _hangsAt = "";

    public FakeDataplane(LoopClock clock, FakeKernel tables)
    {
        (_clock, Tables) = (clock, tables);
        Services = new ServiceDataplane(tables.Tables, Rest, clock);
    }

    public FakeKernel Tables { get; }

    public IdTable RestoredIds => Services.RestoredIds;

    public ServiceDataplane Services { get; }

    public Task Opened => _opened.Task;

    /// <summary>Complete applies so far.</summary>
    public IReadOnlyList<Run> Runs
    {
        get
        {
            lock (_runs)
                return [.. _runs];
        }
    }

    /// <summary>When the last one ended; 0 before the first.</summary>
    public long LastEnd
    {
        get
        {
            lock (_runs)
                return _runs.Count == 0 ? 0 : _runs[^1].Ended;
        }
    }

    /// <summary>What each apply takes.</summary>
    public TimeSpan Duration { get; set; }

    /// <summary>What the part after the services does.</summary>
    public NodeApplyResult After { get; set; } = Nothing;

    /// <summary>How reading the tables back fails.</summary>
    public KernelException? VerifyFails { get; set; }

    public int Verified { get; private set; }

    /// <summary>Entries of the ipcache that each read-back finds to differ.</summary>
    public int DriftOfPrefixes { get; set; }

    public int Losses { get; private set; }

    /// <summary>A call of the loop is in the kernel and does not come back.</summary>
    public bool Hanging { get; private set; }

    public void Open() => _opened.TrySetResult();

    /// <summary>The next such call ("apply", "verify") does not come back before <see cref="Release"/>.</summary>
    public void HangAt(string call)
    {
        _released.Reset();
        _hangsAt = call;
    }

    public void Release() => _released.Set();

    public DataplaneResult Apply(NodeView view, DesiredState desired)
    {
        var began = _clock.GetTimestamp();
        Enter("apply");
        var services = Services.Apply(desired);
        if (Duration > TimeSpan.Zero)
            _clock.Advance(Duration);
        lock (_runs)
            _runs.Add(new Run(began, _clock.GetTimestamp()));
        return new DataplaneResult(Nothing, services, After);
    }

    public DataplaneDrift Verify()
    {
        var services = Services.Verify();
        Enter("verify");
        Verified++;
        return new DataplaneDrift(services, DriftOfPrefixes, VerifyFails);
    }

    public void Dispose() => _released.Dispose();

    public void Lost() => Losses++;

    private void Enter(string call)
    {
        if (_hangsAt != call)
            return;
        _hangsAt = "";
        Hanging = true;
        _released.Wait();
        Hanging = false;
    }
}

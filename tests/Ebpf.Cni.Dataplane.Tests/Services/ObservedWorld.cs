using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Services;

/// <summary>
/// Tables, an agent that may die, and an observer that after every single write looks up every frontend, and before every write of an
/// element makes sure that no reader that could still hold an old frontend is reading there.
/// </summary>
internal sealed class ObservedWorld
{
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);
    private readonly List<(Svc Left, DateTimeOffset Until)> _readers = [];
    private Dictionary<SvcKey, string> _before = [];
    private Dictionary<SvcKey, string> _promised = [];
    private Dictionary<uint, HashSet<SrangeKey>> _rangesBefore = [];
    private Dictionary<uint, HashSet<SrangeKey>> _rangesPromised = [];

    /// <param name="frontends">Size of the table.</param>
    /// <param name="backends">Size of the table.</param>
    /// <param name="waits">The kernel can be asked to wait for its readers; false: it refuses, or nothing can be asked.</param>
    /// <param name="ranges">Size of the table of source ranges.</param>
    public ObservedWorld(uint frontends, uint backends, Func<bool>? waits = null, uint ranges = 64)
        : this(new FakeKernel(frontends, backends, ranges), waits)
    {
    }

    private ObservedWorld(FakeKernel kernel, Func<bool>? waits = null)
    {
        Kernel = kernel;
        if (waits is not null)
            Kernel.WaitForReaders = () => Wait(waits());
        Kernel.AfterStep = Observe;
        Kernel.BeforeWrite = CheckNobodyReads;
        Kernel.AfterLeft = left => _readers.Add((left, Time.GetUtcNow() + Rest));
        Tables = Open();
    }

    /// <summary>How often readers were waited for.</summary>
    public int Waits { get; private set; }

    public FakeTimeProvider Time { get; } = new();

    public FakeKernel Kernel { get; }

    public ServiceDataplane Tables { get; private set; }

    /// <summary>The same tables, a new agent.</summary>
    public ObservedWorld Fork() => new(Kernel.Clone());

    public void Restart()
    {
        // The programs that ran when the agent died have long ended when the next one has started.
        _readers.Clear();
        Tables = Open();
    }

    /// <summary>Applies under observation; null when the agent died, and then it has been started again.</summary>
    public ApplyResult? Apply(DesiredState desired)
    {
        _before = LookupModel.LookupAll(Kernel);
        _promised = LookupModel.Promise(desired);
        _rangesBefore = ById(Kernel.Ranges.Keys);
        _rangesPromised = ById(LookupModel.PromisedRanges(desired));
        try
        {
            var result = Tables.Apply(desired);
            CheckRefused(result, desired);
            return result;
        }
        catch (CrashException)
        {
            Restart();
            return null;
        }
        finally
        {
            Observe();
            Kernel.NextFault = () => Fault.None;
        }
    }

    /// <summary>Without faults, and with rests, the tables become exactly what is desired; then nothing more is written.</summary>
    public void Converge(DesiredState desired)
    {
        for (var i = 0; i < 3 && Apply(desired) is not { Complete: true }; i++)
            Time.Advance(Rest);
        Assert.Equal(LookupModel.Promise(desired).OrderBy(p => p.Key), LookupModel.LookupAll(Kernel).OrderBy(p => p.Key));
        Assert.Equal(LookupModel.PromisedRanges(desired).ToHashSet(), Kernel.Ranges.Keys.ToHashSet());
        var again = Apply(desired)!;
        Assert.True(again.Complete);
        Assert.Equal(0, again.KernelWrites);
        Assert.Equal(default, Tables.Verify());
    }

    private bool Wait(bool succeeds)
    {
        Waits++;
        if (succeeds)
            _readers.Clear();
        return succeeds;
    }

    private ServiceDataplane Open() => new(Kernel.Tables, Rest, Time);

    private void Observe()
    {
        foreach (var key in _before.Keys.Union(_promised.Keys).Union(Kernel.Frontends.Keys))
        {
            var seen = LookupModel.Lookup(Kernel, key);
            var old = _before.GetValueOrDefault(key, LookupModel.Nobody);
            var promised = _promised.GetValueOrDefault(key, LookupModel.Nobody);
            if (seen != old && seen != promised)
                Assert.Fail($"{key}: a reader sees <{seen}>, neither the old <{old}> nor the new <{promised}>");
            CheckClients(key);
        }
    }

    /// <summary>
    /// Whoever may use a frontend according to what its flags say, old or new, may do so at every step; and nobody is kept out by a
    /// frontend without ranges.
    /// </summary>
    private void CheckClients(SvcKey key)
    {
        if (!Kernel.Frontends.TryGetValue(key, out var svc) || !svc.Flags.HasFlag(SvcFlags.SourceRanges))
            return;
        // Of the old and the new list, at least one is there in full.
        var complete = new[] { _rangesBefore, _rangesPromised }.Any(
            list => list.TryGetValue(svc.ServiceId, out var all) && all.All(Kernel.Ranges.ContainsKey));
        if (!complete)
            Assert.Fail($"{key} of service {svc.ServiceId} asks for source ranges, and some of its clients are kept out");
    }

    private static Dictionary<uint, HashSet<SrangeKey>> ById(IEnumerable<SrangeKey> ranges) =>
        ranges.GroupBy(r => r.ServiceId.Host).ToDictionary(g => g.Key, g => g.ToHashSet());

    private void CheckNobodyReads(uint element)
    {
        _readers.RemoveAll(r => r.Until <= Time.GetUtcNow());
        foreach (var svc in Kernel.Frontends.Values.Concat(_readers.Select(r => r.Left)))
            if (element >= svc.Offset && element < svc.Offset + svc.Count + svc.Tail)
                Assert.Fail($"element {element} is overwritten under the readers of service {svc.ServiceId}");
    }

    private void CheckRefused(ApplyResult result, DesiredState desired)
    {
        var untouched = result.Refusals.Select(r => r.Service).Concat(result.Waiting).ToHashSet();
        if (!result.Errors.IsEmpty)
            return;
        foreach (var frontend in desired.Frontends)
        {
            var seen = LookupModel.Lookup(Kernel, frontend.Key);
            if (!untouched.Contains(frontend.Owner.Service))
                Assert.Equal(_promised[frontend.Key], seen);
        }
    }
}

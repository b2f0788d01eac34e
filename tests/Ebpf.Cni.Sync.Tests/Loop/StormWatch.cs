using System.Globalization;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Store;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>The watch of one kind: events in the order of the server, which arrive when the test says so.</summary>
internal interface IStormWatch
{
    /// <summary>Events on the way.</summary>
    int Waiting { get; }

    /// <summary>What differs between two states of the server becomes events.</summary>
    void Change(ClusterSnapshot before, ClusterSnapshot after, Func<long> version);

    /// <summary>The next event arrives.</summary>
    void Deliver();

    /// <summary>An event older than what is held arrives again; it must change nothing.</summary>
    void Repeat(Random random);

    /// <summary>The watch broke: a list arrives, in the place of all that was on the way.</summary>
    void List();
}

internal sealed class StormWatch<T>(IObjectSink<T> sink, Func<ClusterSnapshot, IEnumerable<KeyValuePair<ObjectName, T>>> items)
    : IStormWatch
    where T : class
{
    private const int Remembered = 500;

    private readonly Queue<Event> _onTheWay = [];
    private readonly List<Event> _past = [];
    private readonly Dictionary<ObjectName, long> _held = [];
    private Dictionary<ObjectName, Event> _server = [];

    public int Waiting => _onTheWay.Count;

    public void Change(ClusterSnapshot before, ClusterSnapshot after, Func<long> version)
    {
        var next = new Dictionary<ObjectName, Event>();
        foreach (var (name, value) in items(after))
        {
            var known = _server.GetValueOrDefault(name);
            next[name] = ReferenceEquals(known.Value, value) ? known : Send(new Event(name, version(), value));
        }

        foreach (var name in _server.Keys.Where(n => !next.ContainsKey(n)))
            Send(new Event(name, version(), null));
        _server = next;
    }

    public void Deliver()
    {
        var next = _onTheWay.Dequeue();
        Assert.Equal(Freshness.Taken, Arrive(next));
        Hold(next);
    }

    public void Repeat(Random random)
    {
        if (_past.Count == 0)
            return;
        var old = _past[random.Next(_past.Count)];
        if (_held.TryGetValue(old.Name, out var held) && held > old.Version)
            Assert.Equal(Freshness.Stale, Arrive(old));
    }

    public void List()
    {
        _onTheWay.Clear();
        _held.Clear();
        foreach (var item in _server.Values)
            Hold(item);
        sink.Replace([.. _server.Values.Select(Decode)]);
    }

    private Event Send(Event next)
    {
        _onTheWay.Enqueue(next);
        return next;
    }

    private void Hold(Event arrived)
    {
        if (arrived.Value is null)
            _held.Remove(arrived.Name);
        else
            _held[arrived.Name] = arrived.Version;
        if (_past.Count == Remembered)
            _past.RemoveRange(0, Remembered / 2);
        _past.Add(arrived);
    }

    private Freshness Arrive(Event arriving) =>
        arriving.Value is null ? sink.Remove(arriving.Name, Text(arriving.Version)) : sink.Upsert(Decode(arriving));

    private static Decoded<T> Decode(Event item) => new(item.Name, "", Text(item.Version), item.Value, null);

    private static string Text(long version) => version.ToString(CultureInfo.InvariantCulture);

    /// <summary>A version of an object; without a value, its end.</summary>
    private readonly record struct Event(ObjectName Name, long Version, T? Value);
}

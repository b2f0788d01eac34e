using System.Buffers;
using System.Globalization;
using System.Text;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Store;
using Ebpf.Cni.Kubernetes.Tests.FakeApi;
using Ebpf.Cni.Kubernetes.Tests.OddApi;
using Ebpf.Cni.Kubernetes.Watching;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>
/// Whatever the API server answers: a minute of simulated time after it answers rightly again, the
/// Services are right. Without network and on one thread, so that time only passes when everything
/// that can happen has happened. EBPF_CNI_ODD_ANSWERS says how many odd answers are given.
/// </summary>
public sealed class OddAnswerTests
{
    private const int DefaultAnswers = 20_000;
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task A_minute_after_the_server_is_right_the_services_are_right()
    {
        var answers = int.TryParse(Environment.GetEnvironmentVariable("EBPF_CNI_ODD_ANSWERS"), CultureInfo.InvariantCulture, out var wanted)
            ? wanted
            : DefaultAnswers;
        var random = new Random(Seed.Next());
        var given = new SortedDictionary<string, int>(StringComparer.Ordinal);
        // Not on the test framework's own context: continuations are to run where time passes.
        await Task.Run(async () =>
        {
            for (var left = answers; left > 0;)
            {
                using var life = new Life(random);
                left -= await life.RunAsync(Math.Min(left, 400));
                foreach (var (what, count) in life.Given)
                    given[what] = given.GetValueOrDefault(what) + count;
            }
        });
        if (answers >= DefaultAnswers)
            Assert.Contains("giant element", given.Keys);
        Assert.True(answers < DefaultAnswers || given.Count >= 25, string.Join(", ", given));
    }

    /// <summary>One reflector from its start to its end, through many troubles.</summary>
    private sealed class Life : IDisposable
    {
        private readonly Random _random;
        private readonly FakeTimeProvider _time = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));
        private readonly FakeCluster _cluster = new();
        private readonly OddAnswers _odd;
        private readonly OddServer _server;
        private readonly ObjectSet<ObjectName, ServiceSnapshot> _held = new(
            "Service", n => n, SnapshotContent.Same, ClusterSnapshot.Empty.Services, () => { }, new Lock());

        public Life(Random random)
        {
            _random = random;
            _odd = new OddAnswers(_cluster, random, _time);
            _server = new OddServer(_cluster, _odd, _time);
        }

        public IReadOnlyDictionary<string, int> Given => _odd.Given;

        public void Dispose() => _server.Dispose();

        public async Task<int> RunAsync(int answers)
        {
            using var stop = new CancellationTokenSource();
            using var http = new HttpClient(_server, disposeHandler: false)
            {
                BaseAddress = new Uri("http://api/"), Timeout = Timeout.InfiniteTimeSpan,
            };
            _cluster.Put(Objects.Services, "kubernetes", Objects.Service("kubernetes"));
            for (var i = 0; i < 5; i++)
                Change();
            var reflector = new Reflector<ServiceSnapshot>(
                Kinds.Services, _held, new ApiReader(http, _time), WatchOptions.Default with { PageSize = 3 },
                _time, _random, NullLogger.Instance);
            var left = _random.Next(8);
            _server.TurnOdd(left);
            var done = left;
            var running = reflector.RunAsync(stop.Token);
            while (true)
            {
                Trouble(running);
                Recover(running);
                if (done >= answers)
                    break;
                left = 1 + _random.Next(12);
                done += left;
                _server.TurnOdd(left);
            }

            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running.WaitAsync(TimeSpan.FromSeconds(30)));
            return done;
        }

        /// <summary>
        /// Lets the odd answers happen, while the cluster changes. A watch that stays open is broken, so that there is a next request.
        /// </summary>
        private void Trouble(Task running)
        {
            for (var step = 0; _server.OddLeft > 0 && !running.IsCompleted; step++)
            {
                if (step % 240 == 0)
                    _server.BreakWatches();
                if (_random.Next(20) == 0)
                    Change();
                if (_random.Next(200) == 0)
                    _cluster.Compact();
                _time.Advance(Step);
            }

            for (var steps = _random.Next(80); steps > 0; steps--)
                _time.Advance(Step);
        }

        private void Recover(Task running)
        {
            _server.TurnRight();
            Change(); // what no answer can have told of before
            var since = _time.GetUtcNow();
            string? difference;
            while ((difference = Difference()) is not null && !running.IsCompleted && _time.GetUtcNow() - since < TimeSpan.FromMinutes(1))
                _time.Advance(Step);
            if (running.IsFaulted || difference is not null)
                Assert.Fail($"{difference}\n{running.Exception}\n{_server.Transcript}");
        }

        private string? Difference()
        {
            var (_, truth) = _cluster.List(Objects.Services, Kinds.Services.Selector);
            foreach (var o in truth)
            {
                var wanted = Kinds.Services.Decode(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(o.Json)));
                if (!_held.Items.TryGetValue(wanted.Name, out var held) || !SnapshotContent.Same(wanted.Value!, held))
                    return $"{wanted.Name} is {(held is null ? "missing" : "another")}";
            }

            return truth.Count == _held.Count ? null : $"{_held.Count} are held, {truth.Count} exist";
        }

        private void Change()
        {
            var name = $"s{_random.Next(8)}";
            if (_random.Next(4) == 0)
                _cluster.Delete(Objects.Services, name);
            else
                _cluster.Put(Objects.Services, name, Objects.Service(
                    name, port: _random.Next(1, 65536), labels: _random.Next(6) == 0 ? "\"service.kubernetes.io/headless\":\"\"" : ""));
            _server.Pump();
        }
    }
}

using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>No loop of the agent ends in silence.</summary>
public class LoopGuardTests
{
    [Fact]
    public async Task A_loop_that_fails_stops_the_agent_and_is_named()
    {
        var (guard, log) = await RunAsync<Failing>();
        Assert.True(guard.Tripped);
        Assert.Contains(log.Lines, l => l.Message.StartsWith("Failing failed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_that_ends_without_a_fault_does_too()
    {
        var (guard, log) = await RunAsync<Ending>();
        Assert.True(guard.Tripped);
        Assert.Contains(log.Lines, l => l.Message.StartsWith("Ending has ended", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_that_may_end_stops_nothing_and_a_stop_is_no_fault()
    {
        using var host = Build<Done>(out var log);
        await host.StartAsync(TestContext.Current.CancellationToken);
        var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        await Eventually.True(
            () => host.Services.GetServices<IHostedService>().OfType<Done>().Single().ExecuteTask!.IsCompleted, "it is done");
        Assert.False(lifetime.ApplicationStopping.IsCancellationRequested);
        await host.StopAsync(TestContext.Current.CancellationToken);
        Assert.False(host.Services.GetRequiredService<LoopGuard>().Tripped);
        Assert.Empty(log.Lines);
    }

    [Fact]
    public async Task Of_loops_that_run_together_the_first_that_fails_ends_all()
    {
        var stopped = new TaskCompletionSource();
        var together = LoopsTogether.RunAsync(
            TestContext.Current.CancellationToken,
            async cancel =>
            {
                await Task.Delay(Timeout.Infinite, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                stopped.SetResult();
            },
            async _ =>
            {
                await Task.Yield();
                throw new FormatException("a bug");
            });
        await Assert.ThrowsAsync<FormatException>(() => together);
        Assert.True(stopped.Task.IsCompleted);
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => LoopsTogether.RunAsync(TestContext.Current.CancellationToken, _ => Task.CompletedTask));
    }

    [Fact]
    public async Task Loops_that_run_together_end_when_they_are_told()
    {
        using var stop = new CancellationTokenSource();
        var together = LoopsTogether.RunAsync(
            stop.Token, cancel => Task.Delay(Timeout.Infinite, cancel), cancel => Task.Delay(Timeout.Infinite, cancel));
        await stop.CancelAsync();
        await together;
    }

    private static async Task<(LoopGuard Guard, KeptLog<LoopGuard> Log)> RunAsync<T>() where T : BackgroundService
    {
        using var host = Build<T>(out var log);
        var guard = host.Services.GetRequiredService<LoopGuard>();
        await host.RunAsync(TestContext.Current.CancellationToken);
        return (guard, log);
    }

    private static IHost Build<T>(out KeptLog<LoopGuard> log) where T : BackgroundService
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<ILogger<LoopGuard>>(log = new KeptLog<LoopGuard>());
        builder.Services.AddSingleton<LoopGuard>();
        builder.Services.Configure<HostOptions>(LoopGuard.StopAlone);
        builder.Services.AddHostedService(s => s.GetRequiredService<LoopGuard>());
        builder.Services.AddHostedService<T>();
        builder.Services.AddHostedService<Running>();
        return builder.Build();
    }

    private sealed class Running : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.Delay(Timeout.Infinite, stoppingToken);
    }

    private sealed class Failing : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await Task.Yield();
            throw new InvalidOperationException("a bug");
        }
    }

    private sealed class Ending : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;
    }

    private sealed class Done : BackgroundService, IEndsByItself
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;
    }
}

using Ebpf.Cni.Agent.Cleanup;
using Ebpf.Cni.Agent.Health;
using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Agent.Pods;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Conntrack;
using Ebpf.Cni.Sync.Loop;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Ports;
using Ebpf.Cni.Sync.State;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Prometheus;
using Serilog;
using Serilog.Events;
using Serilog.Formatting.Compact;

namespace Ebpf.Cni.Agent;

/// <summary>The composition root: who is made of what. Nothing is decided here.</summary>
public static partial class AgentHost
{
    /// <summary>A terminating agent has so long; the dataplane does not need it.</summary>
    private static readonly TimeSpan ShutdownLimit = TimeSpan.FromMilliseconds(1500);

    public static WebApplication Build(AgentOptions options, KubernetesConnection connection)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(connection);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(5);
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(30);
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Listen(options.MetricsAddress, BoundedListener.Bound);
            kestrel.Listen(options.HealthzAddress, BoundedListener.Bound);
            kestrel.ListenUnixSocket(options.ObserveSocket, BoundedListener.Bound);
        });
        builder.Services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = ObserveSocket.Bind);
        var errors = new RecentErrors();
        builder.Services.AddSingleton(errors);
        builder.Services.AddSerilog(Logger(options, errors), dispose: true);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownLimit);
        builder.Services.Configure<HostOptions>(LoopGuard.StopAlone);
        AddServices(builder.Services, options, connection);
        // In the order of starting: the watches first, since their answers take longest.
        builder.Services.AddHostedService(s => s.GetRequiredService<LoopGuard>());
        builder.Services.AddHostedService<ClusterWatch>();
        builder.Services.AddHostedService(s => s.GetRequiredService<DataplaneHolder>());
        builder.Services.AddHostedService<NetworkWatch>();
        builder.Services.AddHostedService<ClusterSync>();
        builder.Services.AddHostedService<QuietMemory>();
        builder.Services.AddHostedService(s => s.GetRequiredService<ConntrackCleaner>());
        builder.Services.AddHostedService(s => s.GetRequiredService<ConntrackGarbageCollector>());
        builder.Services.AddHostedService<NodePortConflicts>();
        builder.Services.AddHostedService<NodeServerWatch>();
        builder.Services.AddHostedService<PortReservation>();
        builder.Services.AddHostedService<CniService>();
        builder.Services.AddHostedService(s => new PodMtuService(
            s.GetRequiredService<IPodMtu>(), s.GetRequiredService<EndpointStore>(), options.VerifyPeriod,
            s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<ILogger<PodMtuService>>()));
        builder.Services.AddHostedService<CniInstallation>();
        builder.Services.AddHostedService<EventPosting>();
        if (options.CleanupKubeProxy)
            builder.Services.AddHostedService<KubeProxyCleanupService>();
        if (options.DropLog)
            builder.Services.AddHostedService<DropLog>();

        var app = builder.Build();
        ProcessMetrics.Register(app.Services.GetRequiredService<CollectorRegistry>(), TimeProvider.System, AgentVersion.Text);
        app.Services.GetRequiredService<StateMetrics>();
        app.Services.GetRequiredService<StatusReader>();
        Log.Starting(app.Services.GetRequiredService<ILogger<AgentLog>>(), AgentVersion.Text, options.NodeName,
            AgentVersion.KernelRelease());
        var (others, observe) = (app.Services.GetRequiredService<HttpEndpoints>(), app.Services.GetRequiredService<ObserveEndpoint>());
        app.Use(BoundedListener.Answering);
        app.Run(context => ObserveEndpoint.IsFor(context) ? observe.HandleAsync(context) : others.HandleAsync(context));
        return app;
    }

    private static void AddServices(IServiceCollection services, AgentOptions options, KubernetesConnection connection)
    {
        services.AddSingleton(options);
        services.AddSingleton(options.Sync);
        services.AddSingleton(options.PluginPaths);
        services.AddSingleton(connection);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(_ => Prometheus.Metrics.NewCustomRegistry());
        services.AddSingleton(s => new SnapshotStore(s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new ClusterWatcher(
            connection, s.GetRequiredService<SnapshotStore>(), s.GetRequiredService<ILogger<ClusterWatcher>>(),
            s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new IssueEvents(connection, options.NodeName, s.GetRequiredService<ILogger<IssueEvents>>()));
        services.AddSingleton(NodeDataplaneOptions.From(options, TableSizes.For(Kernel.Host.NodeMemory.ReadTotal())));
        services.AddSingleton(s => new EndpointStore(
            new EndpointFiles(options.StateDir, options.NodeName), options.IpReuseDelay, s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<ILogger<EndpointStore>>()));
        services.AddSingleton(s => new SyncStatus(
            s.GetRequiredService<TimeProvider>(), options.HealthzTimeout, () => s.GetRequiredService<SnapshotStore>().OldestUntaken));
        services.AddSingleton<LoopGuard>();
        services.AddSingleton<DataplaneHolder>();
        services.AddSingleton(new SysctlTree(options.SysctlRoot));
        services.AddSingleton(s => new FormerSettings(
            s.GetRequiredService<SysctlTree>(), Path.Combine(options.StateDir, FormerSettings.FileName), FormerSettings.CurrentBoot()));
        services.AddSingleton<NodeSetup>();
        services.AddSingleton<PodMtu>();
        services.AddSingleton<IPodMtu>(s => s.GetRequiredService<PodMtu>());
        services.AddSingleton<PeerReport>();
        services.AddSingleton(
            s => new NodeState(s.GetRequiredService<EndpointStore>(), options.Sync, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IHealthChecks, HealthCheckPorts>();
        services.AddSingleton<NodeApply>();
        services.AddSingleton<IDataplane>(s => new KernelDataplane(
            s.GetRequiredService<DataplaneHolder>().Opened, s.GetRequiredService<NodeApply>()));
        services.AddSingleton<AppliedState>();
        services.AddSingleton<ConntrackCleaner>();
        services.AddSingleton<ConntrackGarbageCollector>();
        services.AddSingleton<ConntrackEndpoint>();
        services.AddSingleton<NodeRanges>();
        services.AddSingleton<CniRefusals>();
        services.AddSingleton<CniServing>();
        services.AddSingleton<PodSettings>();
        services.AddSingleton<PodNetworkingFactory>();
        services.AddSingleton<IssueReport>();
        services.AddSingleton<CniInstaller>();
        services.AddSingleton<ICniObserver, CniMetrics>();
        services.AddSingleton<SyncMetrics>();
        services.AddSingleton<RouteMetrics>();
        services.AddSingleton(s => new PendingChanges(() => s.GetRequiredService<ClusterWatcher>().States));
        services.AddSingleton<ProgrammingLatency>();
        services.AddSingleton<ConntrackMetrics>();
        services.AddSingleton<IConntrackObserver, ConntrackObserver>();
        services.AddSingleton<ISyncObserver, SyncObserver>();
        services.AddSingleton<SyncReport>();
        services.AddSingleton(s => new ServiceMetrics(s.GetRequiredService<CollectorRegistry>(), options.ServiceMetrics));
        services.AddSingleton<StateMetrics>();
        services.AddSingleton<HttpEndpoints>();
        services.AddSingleton<SyncStatusReader>();
        services.AddSingleton<NetworkStatusReader>();
        services.AddSingleton<StatusReader>();
        services.AddSingleton<TableReader>();
        services.AddSingleton<ObserveEndpoint>();
    }

    private static Serilog.Core.Logger Logger(AgentOptions options, RecentErrors errors)
    {
        const string template = "{Timestamp:yyyy-MM-dd HH:mm:ss.fff} {Level:u3} {Message:lj}{OptionHint:l}{NewLine}{Exception}";
        var configuration = new LoggerConfiguration()
            .MinimumLevel.Is(Level(options.LogLevel))
            .MinimumLevel.Override("Microsoft", Max(LogEventLevel.Warning, Level(options.LogLevel)))
            .Enrich.FromLogContext()
            .Enrich.With(new OptionHintEnricher())
            .WriteTo.Sink(errors, LogEventLevel.Warning);
        return (options.LogFormat == LogFormat.Json
            ? configuration.WriteTo.Console(new RenderedCompactJsonFormatter())
            : configuration.WriteTo.Console(outputTemplate: template, formatProvider: System.Globalization.CultureInfo.InvariantCulture))
            .CreateLogger();
    }

    private static LogEventLevel Max(LogEventLevel a, LogEventLevel b) => a > b ? a : b;

    private static LogEventLevel Level(LogLevel level) => level switch
    {
        LogLevel.Trace => LogEventLevel.Verbose,
        LogLevel.Debug => LogEventLevel.Debug,
        LogLevel.Warning => LogEventLevel.Warning,
        LogLevel.Error => LogEventLevel.Error,
        LogLevel.Critical or LogLevel.None => LogEventLevel.Fatal,
        _ => LogEventLevel.Information,
    };

    /// <summary>The category of the agent's first line.</summary>
    private sealed class AgentLog;

    private static partial class Log
    {
        [LoggerMessage(3001, LogLevel.Information, "ebpf-cni-agent {Version} starting for node {Node} on Linux {Kernel}")]
        public static partial void Starting(Microsoft.Extensions.Logging.ILogger log, string version, string node, string kernel);
    }
}

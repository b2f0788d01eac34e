using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Store;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>How an API server is set up.</summary>
public sealed record ApiServerOptions
{
    /// <summary>Port on the loopback of the caller's namespace; 0 lets the kernel choose.</summary>
    public int Port { get; init; }

    public IPNetwork ServiceCidrV4 { get; init; } = IPNetwork.Parse("10.96.0.0/16");

    public IPNetwork ServiceCidrV6 { get; init; } = IPNetwork.Parse("fd96::/112");

    /// <summary>Changes that a watch may lag behind before 410.</summary>
    public int HistoryCapacity { get; init; } = 20_000;

    public TimeSpan BookmarkPeriod { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Bound sockets to serve besides, such as one on the loopback of each node's namespace. They are the server's from then on, and end
    /// with it.
    /// </summary>
    public IReadOnlyList<Socket> ExtraListeners { get; init; } = [];

    /// <summary>The same by TLS, with <see cref="Certificate"/>.</summary>
    public IReadOnlyList<Socket> SecureListeners { get; init; } = [];

    public X509Certificate2? Certificate { get; init; }

    public IPodLogs? Logs { get; init; }

    /// <summary>Commands in pods, and connections to them.</summary>
    public IPodStreams? Streams { get; init; }

    /// <summary>Answers paths below /sandbox/ that the server does not know itself; returns false for the unknown.</summary>
    public Func<HttpContext, Task<bool>>? Extension { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>An in-memory Kubernetes API server on loopback: HTTP, and TLS for those who insist; without authentication.</summary>
public sealed class ApiServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly IReadOnlyList<Socket> _given;
    private readonly CancellationTokenSource _stopping = new();

    private ApiServer(WebApplication app, IReadOnlyList<Socket> given, ResourceService resources, Misbehaviour misbehaviour)
    {
        _app = app;
        _given = given;
        Resources = resources;
        Misbehaviour = misbehaviour;
    }

    public ResourceService Resources { get; }

    public ObjectStore Store => Resources.Store;

    public Misbehaviour Misbehaviour { get; }

    /// <summary>For example http://127.0.0.1:40123.</summary>
    public Uri Address { get; private set; } = null!;

    public static async Task<ApiServer> StartAsync(ApiServerOptions? options = null)
    {
        options ??= new ApiServerOptions();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 8 << 20;
            kestrel.Listen(IPAddress.Loopback, options.Port);
            foreach (var socket in options.ExtraListeners)
                kestrel.ListenHandle((ulong)socket.Handle); // does not own it
            foreach (var socket in options.SecureListeners)
                kestrel.ListenHandle((ulong)socket.Handle, listen => listen.UseHttps(options.Certificate!));
        });
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        var app = builder.Build();
        var store = new ObjectStore(options.Time, options.HistoryCapacity);
        var resources = new ResourceService(store, options.ServiceCidrV4, options.ServiceCidrV6, options.Time);
        var misbehaviour = new Misbehaviour(store);
        var server = new ApiServer(app, [.. options.ExtraListeners, .. options.SecureListeners], resources, misbehaviour);
        var watches = new WatchStream(store, misbehaviour, options.Time, options.BookmarkPeriod);
        var (logs, streams) = (options.Logs ?? new NoPodLogs(), options.Streams ?? new NoPodStreams());
        var endpoint = new ResourceEndpoint(resources, watches, logs, streams, options.Time);
        var pipeline = new RequestPipeline(endpoint, misbehaviour, new AdminEndpoint(misbehaviour, options.Extension),
            server._stopping.Token);
        app.Run(pipeline.InvokeAsync);
        foreach (var name in (string[])["default", "kube-system", "kube-public"])
            resources.Create(ResourceTypes.Namespaces, "",
                new() { ["metadata"] = new System.Text.Json.Nodes.JsonObject { ["name"] = name } });
        await app.StartAsync();
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        server.Address = new Uri(addresses.First(a => a.StartsWith("http://127.0.0.1:", StringComparison.Ordinal)));
        return server;
    }

    /// <summary>Writes a kubeconfig that reaches the API at <paramref name="address"/> (default: <see cref="Address"/>).</summary>
    public async Task WriteKubeconfigAsync(string path, Uri? address = null)
    {
        var server = (address ?? Address).GetLeftPart(UriPartial.Authority);
        await File.WriteAllTextAsync(path, $"""
            apiVersion: v1
            kind: Config
            current-context: sandbox
            clusters:
            - name: sandbox
              cluster:
                server: {server}
            contexts:
            - name: sandbox
              context:
                cluster: sandbox
                user: sandbox
            users:
            - name: sandbox
              user:
                token: anyone # not looked at; clients refuse a user without credentials

            """);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        Misbehaviour.DropWatches();
        await _app.StopAsync();
        await _app.DisposeAsync();
        foreach (var socket in _given)
            socket.Dispose();
        _stopping.Dispose();
    }
}

using System.Collections.Immutable;
using System.Net.Sockets;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Health;

/// <summary>
/// The health check node ports of Services with externalTrafficPolicy Local: a load balancer asks each node there whether it has endpoints.
/// One listener a Service; what does not change is not touched.
/// </summary>
public sealed partial class HealthCheckPorts(SyncStatus status, ILogger<HealthCheckPorts> log) : IHealthChecks, IDisposable
{
    private readonly Dictionary<ObjectName, HealthCheckServer> _servers = [];
    private readonly HashSet<ObjectName> _failed = [];
    private ImmutableSortedDictionary<ObjectName, DesiredHealthCheck> _applied = DesiredState.Empty.ChecksByService;

    public ImmutableArray<(DesiredHealthCheck Check, string Cause)> Apply(DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(desired);
        var wanted = desired.ChecksByService;
        var services = KeyedDifference.Between(_applied, wanted, desired.CheckChanges).Union(_failed).ToList();
        _applied = wanted;
        _failed.Clear();
        // Closed first: one Service may take over the port of another.
        foreach (var service in services)
        {
            if (!_servers.TryGetValue(service, out var server) || wanted.GetValueOrDefault(service)?.Port == server.Port)
                continue;
            Log.Closed(log, service.ToString(), server.Port);
            _servers.Remove(service);
            server.Dispose();
        }

        var failures = ImmutableArray.CreateBuilder<(DesiredHealthCheck, string)>();
        foreach (var service in services)
            if (wanted.GetValueOrDefault(service) is { } want && TryServe(want) is { } cause)
            {
                _failed.Add(service);
                failures.Add((want, cause));
            }

        return failures.ToImmutable();
    }

    /// <returns>Why it cannot be served; null if it is.</returns>
    private string? TryServe(DesiredHealthCheck want)
    {
        try
        {
            if (!_servers.TryGetValue(want.Service, out var server))
            {
                _servers.Add(want.Service, server = new HealthCheckServer(want.Service, want.Port, status, log));
                Log.Opened(log, want.Service.ToString(), want.Port);
            }

            server.LocalEndpoints = want.LocalEndpoints;
            return null;
        }
        catch (SocketException e)
        {
            return e.Message;
        }
    }

    public void Dispose()
    {
        foreach (var server in _servers.Values)
            server.Dispose();
        _servers.Clear();
    }

    private static partial class Log
    {
        [LoggerMessage(3501, LogLevel.Information, "health check of Service {Service} opened on node port {Port}")]
        public static partial void Opened(ILogger log, string service, ushort port);

        [LoggerMessage(3502, LogLevel.Information, "health check of Service {Service} closed on node port {Port}")]
        public static partial void Closed(ILogger log, string service, ushort port);
    }
}

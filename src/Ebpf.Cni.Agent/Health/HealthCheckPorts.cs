using System.Collections.Immutable;
using System.Net.Sockets;
using Ebpf.Cni.Agent.Sync;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Agent.Health;

/// <summary>
/// The health check node ports of Services with externalTrafficPolicy Local: a load balancer asks each node there whether it has endpoints.
/// One listener a Service; what does not change is not touched.
/// </summary>
public sealed partial class HealthCheckPorts(SyncStatus status, ILogger<HealthCheckPorts> log) : IDisposable
{
    private readonly Dictionary<ObjectName, HealthCheckServer> _servers = [];

    /// <summary>Makes the listeners exactly these. Those that cannot be opened are returned, each with the cause; call again to try again.</summary>
    public ImmutableArray<(DesiredHealthCheck Check, string Cause)> Apply(ImmutableArray<DesiredHealthCheck> desired)
    {
        var wanted = desired.ToDictionary(d => d.Service);
        // Closed first: one Service may take over the port of another.
        foreach (var (service, server) in _servers.ToList())
        {
            if (wanted.TryGetValue(service, out var want) && want.Port == server.Port)
                continue;
            Log.Closed(log, service.ToString(), server.Port);
            _servers.Remove(service);
            server.Dispose();
        }

        var failures = ImmutableArray.CreateBuilder<(DesiredHealthCheck, string)>();
        foreach (var want in desired)
        {
            try
            {
                if (!_servers.TryGetValue(want.Service, out var server))
                {
                    _servers.Add(want.Service, server = new HealthCheckServer(want.Service, want.Port, status, log));
                    Log.Opened(log, want.Service.ToString(), want.Port);
                }

                server.LocalEndpoints = want.LocalEndpoints;
            }
            catch (SocketException e)
            {
                failures.Add((want, e.Message));
            }
        }

        return failures.ToImmutable();
    }

    public void Dispose()
    {
        foreach (var server in _servers.Values)
            server.Dispose();
        _servers.Clear();
    }

    private static partial class Log
    {
        [LoggerMessage(3501, LogLevel.Information, "health check of {Service} at port {Port}")]
        public static partial void Opened(ILogger log, string service, ushort port);

        [LoggerMessage(3502, LogLevel.Information, "no health check of {Service} at port {Port} any more")]
        public static partial void Closed(ILogger log, string service, ushort port);
    }
}

using System.Globalization;
using System.Text;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Agent.Health;

/// <summary>kube-proxy's answer, byte for byte in the body (pkg/proxy/healthcheck/service_health.go): balancers may read it.</summary>
internal static class HealthCheckAnswer
{
    /// <param name="service">Whose health; a name of the API, which needs no escaping.</param>
    /// <param name="localEndpoints">The weight of this node, for balancers that use one.</param>
    /// <param name="proxyHealthy">False: what the endpoints are worth is not known here.</param>
    /// <param name="headOnly">Without the body.</param>
    public static byte[] Write(ObjectName service, int localEndpoints, bool proxyHealthy, bool headOnly = false)
    {
        var body =
            $$"""
            {
            	"service": {
            		"namespace": "{{service.Namespace}}",
            		"name": "{{service.Name}}"
            	},
            	"localEndpoints": {{localEndpoints.ToString(CultureInfo.InvariantCulture)}},
            	"serviceProxyHealthy": {{(proxyHealthy ? "true" : "false")}}
            }
            """;
        var status = localEndpoints > 0 && proxyHealthy ? "200 OK" : "503 Service Unavailable";
        return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nX-Load-Balancing-Endpoint-Weight: "
                + $"{localEndpoints}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{(headOnly ? "" : body)}"));
    }
}

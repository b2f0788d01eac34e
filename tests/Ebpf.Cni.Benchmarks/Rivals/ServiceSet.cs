using System.Globalization;

namespace Ebpf.Cni.Benchmarks.Rivals;

/// <summary>A service of the comparison: a virtual address with a TCP port 80 (the measured one also UDP) and its endpoints.</summary>
internal sealed record BenchService(string Name, string Address, bool Udp, IReadOnlyList<string> Endpoints, int TargetPort);

/// <summary>The same services for every contestant: the measured one in the middle of others that have four endpoints each.</summary>
internal static class ServiceSet
{
    public const int EndpointsEach = 4;

    /// <param name="others">How many besides the measured one.</param>
    /// <param name="address">The measured service's virtual address.</param>
    /// <param name="server">Its only endpoint.</param>
    /// <param name="port">The endpoint's port.</param>
    public static IReadOnlyList<BenchService> Around(int others, string address, string server, int port)
    {
        var services = new List<BenchService>(others + 1);
        for (var i = 0; i < others / 2; i++)
            services.Add(Other(i));
        services.Add(new BenchService("bench", address, Udp: true, [server], port));
        for (var i = others / 2; i < others; i++)
            services.Add(Other(i));
        return services;
    }

    /// <summary>An endpoint of the service with that number; nobody is there.</summary>
    public static string Endpoint(int service, int endpoint) =>
        string.Create(CultureInfo.InvariantCulture, $"10.{64 + endpoint}.{(service >> 8) & 0xff}.{service & 0xff}");

    public static BenchService Other(int number) => new(
        $"other-{number}", string.Create(CultureInfo.InvariantCulture, $"10.{100 + (number >> 16)}.{(number >> 8) & 0xff}.{number & 0xff}"),
        Udp: false,
        [.. Enumerable.Range(0, EndpointsEach).Select(e => Endpoint(number, e))], 8080);
}

using System.Globalization;
using System.Text;

namespace Ebpf.Cni.Sync.Ports;

/// <summary>Ports as the kernel writes them in ip_local_reserved_ports: "80,8000-8080". Pure.</summary>
internal static class PortList
{
    public static SortedSet<ushort> Parse(string text)
    {
        var ports = new SortedSet<ushort>();
        foreach (var part in text.Split([',', '\n', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var ends = part.Split('-');
            var first = ushort.Parse(ends[0], CultureInfo.InvariantCulture);
            for (int port = first, last = ushort.Parse(ends[^1], CultureInfo.InvariantCulture); port <= last; port++)
                ports.Add((ushort)port);
        }

        return ports;
    }

    public static string Write(IEnumerable<ushort> ports)
    {
        var text = new StringBuilder();
        var (first, last) = (-1, -1);
        foreach (var port in ports.Order())
        {
            if (port == last + 1 && first >= 0)
            {
                last = port;
                continue;
            }

            Add();
            (first, last) = (port, port);
        }

        Add();
        return text.ToString();

        void Add()
        {
            if (first >= 0)
                text.Append(text.Length > 0 ? "," : "").Append(CultureInfo.InvariantCulture, $"{first}")
                    .Append(first < last ? string.Create(CultureInfo.InvariantCulture, $"-{last}") : "");
        }
    }
}

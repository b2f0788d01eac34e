using System.Globalization;
using System.Net;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Inquiries;

/// <summary>
/// host:port or [IPv6 address]:port. The brackets may be left out, as in $(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT), since a
/// port there must be.
/// </summary>
internal sealed record ProbeTarget(string Host, int Port)
{
    /// <exception cref="CliException">It is neither.</exception>
    public static ProbeTarget Parse(string text)
    {
        var at = text.LastIndexOf(':');
        var host = at > 0 ? text[..at] : "";
        if (host.StartsWith('[') && host.EndsWith(']'))
            host = host[1..^1];
        else if (host.Contains(':', StringComparison.Ordinal) && !IPAddress.TryParse(host, out _))
            throw CliException.Usage($"probe: '{text}' is not HOST:PORT");
        return host.Length > 0 && int.TryParse(text[(at + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is > 0 and <= 65535
            ? new ProbeTarget(host, port)
            : throw CliException.Usage($"probe: '{text}' is not HOST:PORT");
    }
}

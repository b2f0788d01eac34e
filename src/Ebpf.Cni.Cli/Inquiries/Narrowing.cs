using System.Globalization;

namespace Ebpf.Cni.Cli.Inquiries;

/// <summary>What narrows a listing; null does not.</summary>
/// <param name="Limit">Lines at most; null: as many as the agent lists by itself.</param>
/// <param name="Namespace">Of Services or pods.</param>
/// <param name="Client">ADDRESS or NAMESPACE/POD.</param>
/// <param name="Service">NAMESPACE/NAME.</param>
internal sealed record Narrowing(int? Limit = null, string? Namespace = null, string? Client = null, string? Service = null)
{
    /// <summary>As the query of a path; "" without any.</summary>
    public string Query => Given.Any() ? "?" + string.Join('&', Given.Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value)}")) : "";

    /// <summary>As options of ecni.</summary>
    public IEnumerable<string> Options => Given.Select(p => $"--{p.Name}={p.Value}");

    private IEnumerable<(string Name, string Value)> Given =>
        new (string Name, string? Value)[]
        {
            ("limit", Limit?.ToString(CultureInfo.InvariantCulture)), ("namespace", Namespace), ("client", Client), ("service", Service),
        }.Where(p => p.Value is not null).Select(p => (p.Name, p.Value!));
}

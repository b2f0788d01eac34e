using System.CommandLine;

namespace Ebpf.Cni.Cli.Cluster;

/// <summary>kubectl's options that say which cluster, and as which user: passed on as they are.</summary>
internal sealed class ConnectionOptions
{
    private static readonly (string Name, string[] Aliases, string Value, string Description, bool Hidden)[] Values =
    [
        ("--kubeconfig", [], "FILE", "the kubeconfig", false),
        ("--context", [], "NAME", "its context", false),
        ("--cluster", [], "NAME", "its cluster", false),
        ("--user", [], "NAME", "its user", false),
        ("--as", [], "NAME", "impersonates this user", false),
        ("--as-uid", [], "UID", "impersonates this UID", true),
        ("--server", ["-s"], "URL", "the API server", true),
        ("--token", [], "TOKEN", "the bearer token", true),
        ("--certificate-authority", [], "FILE", "the API server's CA", true),
        ("--client-certificate", [], "FILE", "the client's certificate", true),
        ("--client-key", [], "FILE", "the client's key", true),
        ("--tls-server-name", [], "NAME", "the name in the API server's certificate", true),
        ("--request-timeout", [], "DURATION", "for one request to the API server", true),
        ("--cache-dir", [], "DIR", "kubectl's cache", true),
    ];

    private readonly Option<string>[] _values =
    [
        .. Values.Select(v => new Option<string>(v.Name, v.Aliases)
        {
            HelpName = v.Value, Description = v.Description, Hidden = v.Hidden, Recursive = true,
        }),
    ];

    private readonly Option<string[]> _groups = new("--as-group")
    {
        HelpName = "NAME", Description = "impersonates this group; may be repeated", Hidden = true, Recursive = true,
    };

    private readonly Option<bool> _insecure = new("--insecure-skip-tls-verify")
    {
        Description = "trusts any certificate", Hidden = true, Recursive = true,
    };

    public IReadOnlyList<Option> All => [.. _values, _groups, _insecure];

    /// <summary>As kubectl takes them.</summary>
    public IReadOnlyList<string> Given(ParseResult parsed) =>
    [
        .. _values.Select(o => (o.Name, Value: parsed.GetValue(o))).Where(o => o.Value is not null).Select(o => $"{o.Name}={o.Value}"),
        .. (parsed.GetValue(_groups) ?? []).Select(g => $"--as-group={g}"),
        .. parsed.GetValue(_insecure) ? (string[])["--insecure-skip-tls-verify"] : [],
    ];
}

using System.Globalization;
using Microsoft.AspNetCore.WebUtilities;

namespace Ebpf.Cni.Kubernetes.Tests.OddApi;

/// <summary>A GET for Services, as the server reads it.</summary>
internal sealed record Asked(bool Watch, string? Continue, string? Version, string? Match, int? Limit, string? Selector)
{
    public static Asked Read(Uri uri)
    {
        var query = QueryHelpers.ParseQuery(uri.Query);
        string? Of(string name) => query.TryGetValue(name, out var value) ? value.ToString() : null;
        return new Asked(
            Of("watch") == "1",
            Of("continue"),
            Of("resourceVersion"),
            Of("resourceVersionMatch"),
            Of("limit") is { } limit ? int.Parse(limit, CultureInfo.InvariantCulture) : null,
            Of("labelSelector"));
    }

    /// <summary>A list's first page or all of it.</summary>
    public bool IsList => !Watch && Continue is null && !IsCheck;

    public bool IsCheck => Limit == 1;
}

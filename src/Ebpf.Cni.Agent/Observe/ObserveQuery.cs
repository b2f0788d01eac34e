using System.Globalization;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>What is asked cannot be understood; the message says why.</summary>
public sealed class QueryException(string message) : Exception(message);

/// <summary>How a listing is narrowed.</summary>
public sealed record ObserveQuery
{
    /// <summary>Null: the listing's own default.</summary>
    public int? Limit { get; init; }

    public string? Namespace { get; init; }
    public ObjectName? Service { get; init; }

    /// <summary>An address, or a pod of this node as namespace/name.</summary>
    public string? Client { get; init; }

    /// <exception cref="QueryException">A parameter is unknown, or its value is wrong.</exception>
    public static ObserveQuery Of(IQueryCollection parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var query = new ObserveQuery();
        foreach (var (name, values) in parameters)
        {
            var value = values.ToString();
            query = name switch
            {
                "limit" => query with { Limit = LimitOf(value) },
                "namespace" => query with { Namespace = value },
                "service" => query with { Service = NameOf(value) },
                "client" => query with { Client = value },
                _ => throw new QueryException($"unknown parameter {name}"),
            };
        }

        return query;
    }

    private static int LimitOf(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= ObservePaths.LimitMost
            ? limit
            : throw new QueryException($"limit: '{text}' is not a number from 1 to {ObservePaths.LimitMost}");

    private static ObjectName NameOf(string text) => text.Split('/') is [{ Length: > 0 } ns, { Length: > 0 } name]
        ? new ObjectName(ns, name)
        : throw new QueryException($"service: '{text}' is not NAMESPACE/NAME");
}

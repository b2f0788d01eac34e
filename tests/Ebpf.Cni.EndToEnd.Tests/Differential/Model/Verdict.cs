using System.Collections.Immutable;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Model;

/// <summary>Whose address a backend sees as its client's. Several: any of them is right.</summary>
[Flags]
internal enum Source
{
    None = 0,

    /// <summary>The client's own.</summary>
    Client = 1,

    /// <summary>The one of the machine where the packet entered.</summary>
    Node = 2,

    /// <summary>One that is nobody's: a pod that reaches itself must not see its own.</summary>
    Masked = 4,
}

/// <summary>What becomes of a question.</summary>
internal abstract record Verdict
{
    /// <summary>Answered by one of these, each seeing such a source.</summary>
    public sealed record Served(ImmutableSortedDictionary<Backend, Source> By) : Verdict
    {
        public bool Equals(Served? other) => other is not null && By.SequenceEqual(other.By);

        public override int GetHashCode() => By.Aggregate(0, (hash, pair) => HashCode.Combine(hash, pair.Key, pair.Value));

        public override string ToString() => string.Join(
            "; ", By.GroupBy(p => p.Value).Select(g =>
                string.Join(' ', g.Select(p => Low(p.Key))) + " sees " + Low(g.Key).Replace(", ", "|", StringComparison.Ordinal)));
    }

    /// <summary>Told at once that nobody is there.</summary>
    public sealed record Refused : Verdict
    {
        public override string ToString() => "refused";
    }

    /// <summary>Nothing comes back.</summary>
    public sealed record Dropped : Verdict
    {
        public override string ToString() => "dropped";
    }

    /// <summary>Answer of a healthCheckNodePort.</summary>
    public sealed record Health(int Status, int LocalEndpoints) : Verdict
    {
        public override string ToString() => $"HTTP {Status}, {LocalEndpoints} local";
    }

    private static string Low<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}

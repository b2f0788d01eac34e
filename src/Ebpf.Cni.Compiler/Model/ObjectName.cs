namespace Ebpf.Cni.Compiler.Model;

/// <summary>A namespaced object; cluster-scoped objects have an empty namespace. Ordinal order: the compiler's order.</summary>
public readonly record struct ObjectName(string Namespace, string Name) : IComparable<ObjectName>
{
    public int CompareTo(ObjectName other)
    {
        var c = string.CompareOrdinal(Namespace, other.Namespace);
        return c != 0 ? c : string.CompareOrdinal(Name, other.Name);
    }

    public static bool operator <(ObjectName a, ObjectName b) => a.CompareTo(b) < 0;
    public static bool operator >(ObjectName a, ObjectName b) => a.CompareTo(b) > 0;
    public static bool operator <=(ObjectName a, ObjectName b) => a.CompareTo(b) <= 0;
    public static bool operator >=(ObjectName a, ObjectName b) => a.CompareTo(b) >= 0;

    public override string ToString() => string.IsNullOrEmpty(Namespace) ? Name ?? "" : $"{Namespace}/{Name}";
}

using System.Text;
using System.Text.Json.Serialization.Metadata;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>The members of a JSON object that a decoder reads, and theirs; everything else in it need not be looked at.</summary>
internal sealed class KeptMembers
{
    private readonly List<Member> _members;

    private KeptMembers(List<Member> members) => _members = members;

    /// <summary>What a generated decoder reads. A member with a converter of its own, or that is an array, is kept as it is.</summary>
    public static KeptMembers Of(JsonTypeInfo type)
    {
        var members = new List<Member>();
        foreach (var property in type.Properties)
        {
            var isObject = property.CustomConverter is null
                && type.Options.TryGetTypeInfo(property.PropertyType, out var inner)
                && inner.Kind == JsonTypeInfoKind.Object;
            members.Add(new Member(
                Encoding.UTF8.GetBytes(property.Name), isObject ? Of(type.Options.GetTypeInfo(property.PropertyType)) : null));
        }

        return new KeptMembers(members);
    }

    /// <summary>The members of an object whose one member is itself such an object, beside others that are kept as they are.</summary>
    public static KeptMembers Envelope(string member, KeptMembers content, params ReadOnlySpan<string> others)
    {
        var members = new List<Member> { new(Encoding.UTF8.GetBytes(member), content) };
        foreach (var other in others)
            members.Add(new Member(Encoding.UTF8.GetBytes(other), null));
        return new KeptMembers(members);
    }

    /// <summary>What either of two decoders reads; where both read a member, all of it is kept.</summary>
    public KeptMembers Or(KeptMembers other)
    {
        var both = new List<Member>(_members);
        foreach (var member in other._members)
        {
            var at = both.FindIndex(m => m.Name.AsSpan().SequenceEqual(member.Name));
            if (at < 0)
                both.Add(member);
            else
                both[at] = member with { Content = null };
        }

        return new KeptMembers(both);
    }

    /// <param name="name">As it stands in the text, without quotes.</param>
    /// <param name="content">What is kept of the member's value if that is an object; null: all of it.</param>
    /// <returns>False: the member is not read.</returns>
    public bool Has(ReadOnlySpan<byte> name, out KeptMembers? content)
    {
        foreach (var member in _members)
        {
            if (!name.SequenceEqual(member.Name))
                continue;
            content = member.Content;
            return true;
        }

        content = null;
        return false;
    }

    private readonly record struct Member(byte[] Name, KeptMembers? Content);
}

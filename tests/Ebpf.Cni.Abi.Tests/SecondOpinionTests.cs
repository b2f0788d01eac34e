using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Abi.Tests;

/// <summary>The same from the other side: C# says what it believes, and the C compiler is the judge.</summary>
public sealed partial class SecondOpinionTests
{
    // neither a struct of the kernel half: what they stand for has no name in C
    private static readonly HashSet<Type> Leaves = [typeof(U16Be), typeof(U32Be), typeof(MacAddr), typeof(Pad3)];

    [Fact]
    public void The_compiler_agrees_with_every_size_and_offset()
    {
        var structs = typeof(MapNames).Assembly.GetTypes()
            .Where(t => t is { IsValueType: true, IsEnum: false, IsPublic: true } && !Leaves.Contains(t)
                && !t.IsDefined(typeof(InlineArrayAttribute), false)).ToList();
        var lines = new List<string>();
        foreach (var type in structs)
        {
            var c = Names.CType(type);
            lines.Add($"_Static_assert(sizeof({c}) == {Mirror.Size(type)}, \"size of {type.Name}\");");
            foreach (var field in Mirror.Fields(type))
            {
                var member = Names.CMember(field.Name);
                lines.Add($"_Static_assert(offsetof({c}, {member}) == {field.Offset}, \"offset of {type.Name}.{field.Name}\");");
                lines.Add($"_Static_assert(sizeof((({c} *)0)->{member}) == {field.Size}, \"size of {type.Name}.{field.Name}\");");
            }
        }
        Assert.True(lines.Count > 100, $"{lines.Count} assertions");
        Assert.Equal("", CompiledC.Errors(string.Join('\n', lines)));
    }

    [Fact]
    public void Every_enum_has_the_same_names_and_values()
    {
        var names = CompiledC.Headers.SelectMany(h => EnumName().Matches(File.ReadAllText(h))).Select(m => m.Groups[1].Value).ToList();
        using var c = CompiledC.Object(string.Join('\n', names.Select(n => $"enum {n} g_{n};")));
        using var opened = BpfObject.Open(c.Path);
        var mirrored = new HashSet<Type> { typeof(IpProtocol) };
        foreach (var name in names)
        {
            var mirror = BpfObjects.AbiType(Names.Type(name));
            Assert.True(mirror is { IsEnum: true }, $"enum {name} has no mirror {Names.Type(name)}");
            mirrored.Add(mirror);
            var inC = opened.Btf.FindEnum(name)!.Values.Where(v => !IsBound(v.Name))
                .ToDictionary(v => Names.Enumerator(v.Name), v => v.Value);
            var inCSharp = Enum.GetNames(mirror).Where(n => n != "None")
                .ToDictionary(n => n, n => Convert.ToInt64(Enum.Parse(mirror, n)));
            Assert.Equal(inC.OrderBy(v => v.Value), inCSharp.OrderBy(v => v.Value));
        }
        Assert.Empty(typeof(MapNames).Assembly.GetTypes().Where(t => t.IsEnum && !mirrored.Contains(t)).Select(t => t.Name));
    }

    [Fact]
    public void Bounds_and_protocol_numbers_are_the_same() => Assert.Equal("", CompiledC.Errors($"""
        #include <linux/in.h>
        #include <linux/in6.h>
        _Static_assert(EBC_HOOK_MAX == {Metric.HookCount}, "hooks");
        _Static_assert(EBC_REASON_MAX == {Metric.ReasonCount}, "reasons");
        _Static_assert(EBC_HOOK_SLOTS == {CpuMetrics.HookSlots}, "room for hooks");
        _Static_assert(EBC_REASON_SLOTS == {CpuMetrics.ReasonSlots}, "room for reasons");
        _Static_assert(EBC_DROP_FIRST == {(int)Metric.FirstDrop}, "first drop");
        _Static_assert(IPPROTO_ICMP == {(int)IpProtocol.Icmp}, "icmp");
        _Static_assert(IPPROTO_TCP == {(int)IpProtocol.Tcp}, "tcp");
        _Static_assert(IPPROTO_UDP == {(int)IpProtocol.Udp}, "udp");
        _Static_assert(IPPROTO_ICMPV6 == {(int)IpProtocol.IcmpV6}, "icmpv6");
        _Static_assert(IPPROTO_SCTP == {(int)IpProtocol.Sctp}, "sctp");
        """));

    // where an enum begins or ends, not one of its values
    private static bool IsBound(string name) => name.EndsWith("_MAX", StringComparison.Ordinal)
        || name.EndsWith("_SLOTS", StringComparison.Ordinal) || name.EndsWith("_FIRST", StringComparison.Ordinal);

    [GeneratedRegex(@"^enum (ebc_\w+) \{", RegexOptions.Multiline)]
    private static partial Regex EnumName();
}

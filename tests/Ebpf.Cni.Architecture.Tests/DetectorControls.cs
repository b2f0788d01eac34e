using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>That each detector finds what it is for, and does not find it in comments and strings.</summary>
public sealed class DetectorControls
{
    [Theory]
    [InlineData("await Task.Delay(100);")]
    [InlineData("await Task.Delay(100, ct);")]
    [InlineData("await Task\n    .Delay( TimeSpan.FromSeconds(1.5), ct);")]
    public void Fixed_waits_are_found(string code) => Assert.Single(Detectors.FixedWaits(File(code)));

    [Fact]
    public void Computed_waits_are_fine() => Assert.Empty(Detectors.FixedWaits(File("await Task.Delay(backoff.Next(), time, ct);")));

    [Fact]
    public void Unfinished_work_is_found() => Assert.Single(Detectors.Unfinished(File("// TODO: later")));

    /// <summary>The compiler ignores a name that does not exist.</summary>
    [Theory]
    [InlineData("BannedSymbols.txt")]
    [InlineData("src/BannedSymbols.txt")]
    public void Banned_symbols_exist(string path) => Assert.All(
        System.IO.File.ReadAllLines(Path.Combine(Repository.Root, path)).Select(l => l.Split(';')[0]),
        symbol => Assert.True(Exists(symbol), symbol));

    [Theory]
    [InlineData("src/X/StringUtils.cs", true)]
    [InlineData("src/X/Helper.cs", true)]
    [InlineData("src/X/PodManager.Log.cs", true)]
    [InlineData("bpf/lib/packet_helpers.h", true)]
    [InlineData("src/X/Managed.cs", false)]
    [InlineData("src/X/MappedArray.cs", false)]
    public void Empty_names_are_found(string path, bool found) => Assert.Equal(found, Detectors.HasEmptyName(path));

    [Fact]
    public void Event_ids_are_read() => Assert.Equal([1001, 1002, null], Detectors.EventIds(File("""
        [LoggerMessage(1001, LogLevel.Information, "a")] static partial void A();
        [LoggerMessage(
            EventId = 1002, Level = LogLevel.Debug)]
        [LoggerMessage(Level = LogLevel.Debug)]
        // [LoggerMessage(1003, LogLevel.Information, "old")]
        """)));

    [Theory]
    [InlineData("// Task.Delay(1)")]
    [InlineData("/* Task.Delay(1)\n Task.Delay(1) */")]
    [InlineData("var s = \"Task.Delay(1) \\\" Task.Delay(1)\";")]
    [InlineData("var s = @\"Task.Delay(1) \"\" Task.Delay(1)\";")]
    [InlineData("var s = \"\"\"\nTask.Delay(1) \" Task.Delay(1)\n\"\"\";")]
    [InlineData("var c = '\"'; // Task.Delay(1)")]
    public void Comments_and_strings_are_not_code(string code) => Assert.Empty(Detectors.FixedWaits(File(code)));

    [Theory]
    [InlineData("var s = \"\"; Task.Delay(1);")]
    [InlineData("var s = \"a\\\\\"; Task.Delay(1);")]
    [InlineData("var s = @\"c:\\\"; Task.Delay(1);")]
    [InlineData("/* */ Task.Delay(1);")]
    [InlineData("var c = '\\''; Task.Delay(1);")]
    public void What_follows_them_is(string code) => Assert.Single(Detectors.FixedWaits(File(code)));

    [Fact]
    public void Findings_name_the_line() =>
        Assert.Equal(["src/X/Y.cs:3: Task.Delay(1"], Detectors.FixedWaits(File("/* 1\n2 */\nTask.Delay(1)")));

    [Fact]
    public void Sources_are_found_at_all()
    {
        Assert.True(SourceFile.All.Count > 100);
        Assert.Contains(SourceFile.All, f => f.IsIn("bpf"));
    }

    private static bool Exists(string symbol)
    {
        var name = symbol[2..].Split('(')[0];
        if (symbol[0] == 'T')
            return Type.GetType(name) is not null;
        var dot = name.LastIndexOf('.');
        return Type.GetType(name[..dot])?.GetMember(name[(dot + 1)..]).Length > 0;
    }

    private static SourceFile File(string text) => new("src/X/Y.cs", text);
}

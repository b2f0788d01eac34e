namespace Ebpf.Cni.Architecture.Tests;

/// <summary>That each detector finds what it is for, and does not find it in comments and strings.</summary>
public sealed class DetectorControls
{
    [Theory]
    [InlineData("[LibraryImport(\"libc\")] static partial int close(int fd);")]
    [InlineData("[DllImport(\"libc\")] static extern int close(int fd);")]
    [InlineData("public unsafe void Do() {}")]
    public void Native_code_is_found(string code) => Assert.Single(Detectors.NativeCode(File(code)));

    [Theory]
    [InlineData("using k8s.Models;")]
    [InlineData("using k8s;")]
    [InlineData("var c = new k8s.Kubernetes();")]
    public void The_Kubernetes_client_is_found(string code) => Assert.NotEmpty(Detectors.KubernetesClient(File(code)));

    [Theory]
    [InlineData("Thread.Sleep(pause);")]
    [InlineData("await Task.Delay(100);")]
    [InlineData("await Task.Delay(100, ct);")]
    [InlineData("await Task\n    .Delay( TimeSpan.FromSeconds(1.5), ct);")]
    public void Fixed_waits_are_found(string code) => Assert.Single(Detectors.FixedWaits(File(code)));

    [Fact]
    public void Computed_waits_are_fine() => Assert.Empty(Detectors.FixedWaits(File("await Task.Delay(backoff.Next(), time, ct);")));

    [Theory]
    [InlineData("var t = DateTime.Now;")]
    [InlineData("var t = DateTimeOffset.UtcNow;")]
    public void The_wall_clock_is_found(string code) => Assert.Single(Detectors.WallClock(File(code)));

    [Theory]
    [InlineData("// TODO: later")]
    [InlineData("throw new NotImplementedException();")]
    public void Unfinished_work_is_found(string code) => Assert.Single(Detectors.Unfinished(File(code)));

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
    [InlineData("// unsafe")]
    [InlineData("/* unsafe\n unsafe */")]
    [InlineData("var s = \"unsafe \\\" unsafe\";")]
    [InlineData("var s = @\"unsafe \"\" unsafe\";")]
    [InlineData("var s = \"\"\"\nunsafe \" unsafe\n\"\"\";")]
    [InlineData("var c = '\"'; // unsafe")]
    public void Comments_and_strings_are_not_code(string code) => Assert.Empty(Detectors.NativeCode(File(code)));

    [Theory]
    [InlineData("var s = \"\"; unsafe { }")]
    [InlineData("var s = \"a\\\\\"; unsafe { }")]
    [InlineData("var s = @\"c:\\\"; unsafe { }")]
    [InlineData("/* */ unsafe { }")]
    [InlineData("var c = '\\''; unsafe { }")]
    public void What_follows_them_is(string code) => Assert.Single(Detectors.NativeCode(File(code)));

    [Fact]
    public void Findings_name_the_line() => Assert.Equal(["src/X/Y.cs:3: unsafe"], Detectors.NativeCode(File("/* 1\n2 */\nunsafe")));

    [Fact]
    public void Sources_are_found_at_all()
    {
        Assert.True(SourceFile.All.Count > 100);
        Assert.Contains(SourceFile.All, f => f.IsIn("bpf"));
        Assert.NotEmpty(SourceFile.All.Where(f => f.Project == Directions.OwnerOfNativeCode).SelectMany(Detectors.NativeCode));
    }

    private static SourceFile File(string text) => new("src/X/Y.cs", text);
}

namespace Ebpf.Cni.Architecture.Tests;

public sealed class SourceTests(ITestOutputHelper output)
{
    private static IEnumerable<SourceFile> Src => SourceFile.All.Where(f => f.IsIn("src") && f.IsCSharp);

    /// <summary>This project's files name what they look for.</summary>
    private static IEnumerable<SourceFile> Others => SourceFile.All.Where(f => f.Project != "Ebpf.Cni.Architecture.Tests");

    [Fact]
    public void Waits_are_for_conditions() => Assert.Empty(Others.Where(f => f.IsCSharp).SelectMany(Detectors.FixedWaits));

    [Fact]
    public void Nothing_is_left_undone() => Assert.Empty(Others.SelectMany(Detectors.Unfinished));

    [Fact]
    public void File_names_say_what_is_inside() =>
        Assert.Empty(SourceFile.All.Where(f => Detectors.HasEmptyName(f.Path)).Select(f => f.Path));

    [Fact]
    public void Event_ids_are_unique_and_each_block_of_a_thousand_belongs_to_one_project_or_to_those_that_share_it()
    {
        var events = Src.SelectMany(f => Detectors.EventIds(f).Select(id => (File: f, Id: id))).ToList();
        Assert.Empty(events.Where(e => e.Id is null).Select(e => e.File.Path));
        Assert.Empty(events.GroupBy(e => e.Id).Where(g => g.Count() > 1)
            .Select(g => $"{g.Key}: {string.Join(", ", g.Select(e => e.File.Path))}"));
        Assert.Empty(events.GroupBy(e => e.Id / 1000).Where(g => g.Select(e => Block(e.File.Project)).Distinct().Count() > 1)
            .Select(g => $"{g.Key}xxx: {string.Join(", ", g.Select(e => e.File.Project).Distinct())}"));

        // An id stays with its line when the line's project changes: users filter by it.
        static string Block(string project) => Directions.SharedEventIds.Contains(project) ? "shared" : project;
    }

    private const int LongestLine = 140;

    [Fact]
    public void Long_files_have_a_reason()
    {
        var files = SourceFile.All.Where(f => f.Lines > 300).OrderByDescending(f => f.Lines).ToList();
        foreach (var file in files)
            output.WriteLine($"{file.Lines,5} {file.Path} {Directions.LongFiles.GetValueOrDefault(file.Path)}");
        var tooLong = files.Where(f => f.Lines > Directions.LongestFile).Select(f => f.Path).ToList();
        Assert.Empty(tooLong.Except(Directions.LongFiles.Keys));
        Assert.Empty(Directions.LongFiles.Keys.Except(tooLong));
    }

    /// <summary>Literals that a line break would change are as long as they are: raw ones, and regular expressions.</summary>
    [Fact]
    public void Lines_are_short()
    {
        var found = new List<string>();
        foreach (var file in SourceFile.All)
        {
            var (raw, number) = (false, 0);
            foreach (var line in file.Text.Split('\n'))
            {
                number++;
                var quotes = line.AsSpan().Count("\"\"\"");
                if (line.Length > LongestLine && !raw && quotes == 0 && !line.Contains("[GeneratedRegex(", StringComparison.Ordinal))
                    found.Add($"{file.Path}:{number}: {line.Length} columns");
                raw ^= quotes % 2 == 1;
            }
        }

        Assert.Empty(found);
    }
}

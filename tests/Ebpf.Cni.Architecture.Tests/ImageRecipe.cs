using System.Text.RegularExpressions;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>A Dockerfile, as far as it can be judged without an engine to run it.</summary>
/// <param name="text">Of the Dockerfile.</param>
/// <param name="ignored">Of the .dockerignore: what is not sent to the builder.</param>
internal sealed partial class ImageRecipe(string text, string ignored)
{
    private readonly List<string> _instructions =
        [.. Comment().Replace(text, "").Replace("\\\n", " ", StringComparison.Ordinal).Split('\n').Select(l => l.Trim())
        .Where(l => l.Length > 0)];

    /// <summary>What is wrong, a sentence each.</summary>
    /// <param name="root">The checkout.</param>
    /// <param name="makefile">Its Makefile: an image that is made by other scripts is another one than is tested.</param>
    public IEnumerable<string> Problems(string root, string makefile)
    {
        var stages = new List<string>();
        foreach (var instruction in _instructions)
        {
            var words = instruction.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var problems = words[0] switch
            {
                "FROM" => Base(words, stages),
                "COPY" => Copied(words, root, stages),
                "RUN" => Scripts(instruction, root, makefile),
                "ADD" => [$"{instruction}: COPY says what happens"],
                _ => [],
            };
            foreach (var problem in problems)
                yield return problem;
        }

        if (stages.Count == 0)
            yield return "there is no stage";
    }

    private static IEnumerable<string> Base(string[] words, List<string> stages)
    {
        var image = words.First(w => w != "FROM" && !w.StartsWith("--", StringComparison.Ordinal));
        if (image != "scratch" && !stages.Contains(image) && !Pinned().IsMatch(image))
            yield return $"{image} is not pinned by a version";
        var at = Array.IndexOf(words, "AS");
        stages.Add(at < 0 ? $"{stages.Count}" : words[at + 1]);
    }

    private IEnumerable<string> Copied(string[] words, string root, List<string> stages)
    {
        const string stage = "--from=";
        var from = words.FirstOrDefault(w => w.StartsWith(stage, StringComparison.Ordinal))?[stage.Length..];
        if (from is not null)
        {
            // of a stage, or of an image, which is pinned as any other
            if (!stages.SkipLast(1).Contains(from) && !Pinned().IsMatch(from))
                yield return $"COPY --from={from}: there is no such stage before";
            yield break;
        }

        foreach (var source in words[1..^1].Where(w => !w.StartsWith("--", StringComparison.Ordinal)).Select(w => w.TrimEnd('/')))
        {
            if (!Path.Exists(Path.Combine(root, source)))
                yield return $"{source} is copied and does not exist";
            else if (!IsSent(source))
                yield return $"{source} is copied and kept out by .dockerignore";
        }
    }

    private static IEnumerable<string> Scripts(string instruction, string root, string makefile)
    {
        foreach (var script in ScriptName().Matches(instruction).Select(m => m.Value))
        {
            var file = Path.Combine(root, script);
            if (!File.Exists(file))
                yield return $"{script} is run and does not exist";
            else if (!File.GetUnixFileMode(file).HasFlag(UnixFileMode.UserExecute))
                yield return $"{script} is run and is not executable";
            else if (!makefile.Contains(script, StringComparison.Ordinal))
                yield return $"{script} is run for the image and by no target of make";
        }
    }

    /// <summary>The last line that speaks of the file, or of a directory above it, counts.</summary>
    private bool IsSent(string path)
    {
        var sent = true;
        foreach (var line in ignored.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#'))
        {
            var pattern = line.TrimStart('!').TrimEnd('/');
            if (pattern == "*" || path == pattern || path.StartsWith(pattern + "/", StringComparison.Ordinal))
                sent = line[0] == '!';
        }

        return sent;
    }

    [GeneratedRegex(@"^\s*#.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    // name:12.12-slim, name:10.0.100; not :latest, :12, or nothing
    [GeneratedRegex(@"^[\w./-]+:\d+\.\d+(\.\d+)*(-[\w.]+)*(@sha256:[0-9a-f]{64})?$")]
    private static partial Regex Pinned();

    [GeneratedRegex(@"\bscripts/[\w.-]+")]
    private static partial Regex ScriptName();
}

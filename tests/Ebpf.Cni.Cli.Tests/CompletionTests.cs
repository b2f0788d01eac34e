using System.Diagnostics;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Cli.Tests;

/// <summary>What shells offer.</summary>
public class CompletionTests
{
    [Theory]
    [InlineData("ecni", "__complete st", "status")]
    [InlineData("ecni", "__complete service ", "get list")]
    [InlineData("ecni", "__complete service get --name", "--namespace")]
    [InlineData("ecni", "__complete status -o ", "json table")]
    [InlineData("ecni", "__complete status --run", "--run-dir")]
    [InlineData("ecni", "__complete completion ", "bash zsh")]
    [InlineData("ecni", "__complete nothing-like-this", "")]
    [InlineData("kubectl-ecni", "__complete status --no", "--node --node-timeout")]
    [InlineData("kubectl_complete-ecni", "end", "endpoint")]
    [InlineData("kubectl_complete-ecni", "status --cont", "--context")]
    public async Task Words_that_can_follow_are_offered(string invokedAs, string words, string offered)
    {
        var outcome = await Outcome.OfAsync(invokedAs, words.Split(' '), _ => null);
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Errors));
        var lines = outcome.Output.TrimEnd('\n').Split('\n');
        Assert.Equal(":4", lines[^1]);
        var found = lines[..^1].Select(l => l.Split('\t')[0]).Order(StringComparer.Ordinal).ToList();
        var expected = offered.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expected, words.EndsWith(' ') ? found.Where(w => !w.StartsWith('-')) : found);
    }

    [Fact]
    public async Task A_word_has_its_description() =>
        Assert.Contains("status\ta node at a glance", (await Outcome.OfAsync("__complete", "sta")).Output, StringComparison.Ordinal);

    [Fact]
    public async Task A_word_too_few_has_both_shells() =>
        Assert.Contains("completion: bash or zsh is missing", (await Outcome.OfAsync("completion")).Errors, StringComparison.Ordinal);

    /// <summary>bash is asked for what it would offer, with the printed script and a program that answers as ecni does.</summary>
    [Theory]
    [InlineData("ecni service ''", "get list")]
    [InlineData("ecni prob", "probe")]
    public async Task Bash_offers_them(string words, string offered)
    {
        Requires.Tool("bash");
        var directory = Directory.CreateTempSubdirectory("ebc-cli-test-");
        try
        {
            var program = Path.Combine(directory.FullName, "ecni");
            var typed = words.Split(' ').Select(w => w.Trim('\'')).ToArray();
            var answer = (await Outcome.OfAsync(["__complete", .. typed[1..]])).Output;
            await File.WriteAllTextAsync(Path.Combine(directory.FullName, "answer"), answer);
            await File.WriteAllTextAsync(
                program, $"#!/bin/sh\n[ \"$*\" = '__complete {string.Join(' ', typed[1..])}' ] && cat '{directory.FullName}/answer'\n");
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var script = (await Outcome.OfAsync("completion", "bash")).Output
                + $"COMP_WORDS=({program} {words[(words.IndexOf(' ', StringComparison.Ordinal) + 1)..]}); COMP_CWORD={typed.Length - 1}\n"
                + """_ecni; printf '%s\n' "${COMPREPLY[@]}" """;
            using var process = Process.Start(new ProcessStartInfo("bash", ["--norc", "-c", script]) { RedirectStandardOutput = true })!;
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            var found = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(w => !w.StartsWith('-'));
            Assert.Equal(offered.Split(' '), found.Order(StringComparer.Ordinal));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_script_for_zsh_can_be_sourced_and_be_a_file_in_fpath()
    {
        var script = (await Outcome.OfAsync("completion", "zsh")).Output;
        Assert.StartsWith("#compdef ecni\n", script, StringComparison.Ordinal);
        Assert.Contains("compdef _ecni ecni", script, StringComparison.Ordinal);
        Assert.Contains(" __complete ", script, StringComparison.Ordinal);
    }
}

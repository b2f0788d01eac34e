namespace Ebpf.Cni.Chart.Tests.Rendering;

/// <summary>A copy of the chart whose notes are an object like others: helm shows them only when a cluster takes the release.</summary>
internal sealed class NotesChart : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ebpf-cni-chart-").FullName;

    public NotesChart()
    {
        foreach (var file in Directory.EnumerateFiles(Helm.Chart, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(_folder, Path.GetRelativePath(Helm.Chart, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        // as a template of another name, the text in a comment's place
        var notes = Path.Combine(_folder, "templates", "NOTES.txt");
        File.WriteAllText(
            Path.Combine(_folder, "templates", "notes.yaml"),
            $$$"""
            {{- define "notes" }}{{{File.ReadAllText(notes)}}}{{ end -}}
            text: {{ include "notes" . | toJson }}
            """);
        File.Delete(notes);
    }

    public async Task<string> RenderAsync(string values)
    {
        var result = await Helm.WithValuesAsync(
            values, args => Helm.TemplateAsync("1.35.0", ["--show-only", "templates/notes.yaml", .. args], _folder));
        Assert.True(result.Succeeded, result.Errors);
        return (string)YamlText.Documents(result.Output).Single()["text"]!;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

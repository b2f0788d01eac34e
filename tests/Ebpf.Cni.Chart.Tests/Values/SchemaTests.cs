using System.Text.Json.Nodes;
using Ebpf.Cni.Chart.Tests.Rendering;

namespace Ebpf.Cni.Chart.Tests.Values;

/// <summary>The schema knows every value, and refuses what cannot be with the value's name.</summary>
public sealed class SchemaTests
{
    /// <summary>Places without limits: what is refused there is a matter of type alone.</summary>
    private static readonly string[] WithoutLimits = ["tolerations.0.tolerationSeconds"];

    /// <summary>For charts that hold this one; helm puts it there.</summary>
    /// <summary>Of helm, and former names of values, which are accepted for one release more.</summary>
    private static readonly string[] Undocumented = ["global", "agent.addressRest"];

    [Fact]
    public async Task Every_wrong_value_is_refused_by_name()
    {
        var wrong = Schema.Places.SelectMany(WrongValues.Of).Where(w => !IsUnlimited(w)).Concat(WrongValues.Strangers()).ToList();
        Assert.True(wrong.Count > 250, $"only {wrong.Count} wrong values");
        // helm tells all that is wrong at once: as many in a file as do not hide each other
        var files = WrongValues.Together(wrong);
        Assert.Equal(wrong.Count, files.Sum(f => f.Values.Count));
        var results = await Task.WhenAll(files.Select(async f => (f.Values, Result: await RenderAsync(f.Text))));
        Assert.All(results, r => Assert.False(r.Result.Succeeded));
        Assert.Equal([], from r in results from w in r.Values where !Names(
            r.Result.Errors, w.Told) select $"{w.Path}={w.Value}: {r.Result.Errors}");
    }

    [Fact]
    public async Task Control_only_what_is_wrong_is_told()
    {
        var result = await RenderAsync("""{"agent":{"mtu":"many","tunnelPort":80}}""");
        Assert.True(Names(result.Errors, "agent.mtu"));
        Assert.False(Names(result.Errors, "agent.tunnelPort"));
        Assert.False(Names(result.Errors, "agent.mt"));
    }

    [Fact]
    public async Task Control_what_is_right_is_taken()
    {
        var result = await RenderAsync("""{"agent":{"mtu":1400,"routing":"direct"},"tolerations":[{"key":"a","operator":"Exists"}],"global":{"any":1}}""");
        Assert.True(result.Succeeded, result.Errors);
    }

    /// <summary>null takes a default away: what the templates need is missed, and what they do without leaves no trace.</summary>
    [Fact]
    public async Task A_value_that_is_taken_away_is_missed_by_name_or_not_needed()
    {
        var leaves = ValuesFile.Lines.Select(l => l.Path)
            .Where(p => Schema.Places.Single(s => s.Path == p).Node["properties"] is null || IsWhole(p)).ToList();
        var (needed, others) = (leaves.Where(Schema.IsRequired).ToList(), leaves.Where(p => !Schema.IsRequired(p)).ToList());
        Assert.True(needed.Count > 30 && others.Count > 30);
        var missing = await RenderAsync(WrongValues.File(needed.Select(p => new WrongValue(p, "null", ""))));
        Assert.Equal([], needed.Where(p => !Names(
            missing.Errors, $"- {(p.Contains('.') ? p[..p.LastIndexOf('.')] : "(root)")}: {p[(p.LastIndexOf('.') + 1)..]} is required")));
        var without = await RenderAsync(WrongValues.File(others.Select(p => new WrongValue(p, "null", ""))));
        Assert.True(without.Succeeded, without.Errors);
        Assert.All(new Manifest(without.Output).Objects, o => KubernetesTypes.Decode(o));
    }

    [Theory]
    [InlineData("{metrics: {podMonitor: {enabled: true}}}", "agent.metricsAddress: 127.0.0.1:10249", "metrics.podMonitor.enabled")]
    [InlineData("{metrics: {scrapeAnnotations: true}, agent: {metricsAddress: '[::1]:9}'}}", "agent.metricsAddress",
        "agent.metricsAddress")]
    [InlineData("{metrics: {scrapeAnnotations: true}, agent: {metricsAddress: '[::1]:9999'}}", "agent.metricsAddress: [::1]:9999",
        "metrics.scrapeAnnotations")]
    [InlineData("{agent: {metricsAddress: '0.0.0.0:10256'}}", "agent.metricsAddress", "agent.healthzAddress")]
    [InlineData("{serviceAccount: {create: false}}", "serviceAccount.name", "serviceAccount.create")]
    public async Task What_several_values_together_make_wrong_is_told_with_their_names(string values, string first, string second)
    {
        var result = await RenderAsync(values);
        Assert.False(result.Succeeded);
        Assert.Contains(first, result.Errors, StringComparison.Ordinal);
        Assert.Contains(second, result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("commonLabels", "app.kubernetes.io/name")]
    [InlineData("podLabels", "app.kubernetes.io/instance")]
    [InlineData("metrics.podMonitor.labels", "helm.sh/chart")]
    public async Task Labels_that_the_chart_sets_are_not_to_be_had(string value, string label)
    {
        var result = await RenderAsync(WrongValues.File([new WrongValue(value, $$"""{"{{label}}":"other"}""", "")]));
        Assert.True(Names(result.Errors, value) && result.Errors.Contains(label, StringComparison.Ordinal), result.Errors);
    }

    [Fact]
    public async Task An_older_Kubernetes_is_refused()
    {
        var result = await Helm.TemplateAsync("1.28.15");
        Assert.Contains("kubeVersion: >=1.29.0-0", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Objects_list_what_they_may_have_and_values_are_those_of_the_schema()
    {
        Assert.All(
            Schema.Places.Where(p => p.Node["properties"] is not null),
            p => Assert.True(p.Node["additionalProperties"] is JsonValue v && !v.GetValue<bool>(), p.Path));
        var inSchema = Schema.Places.Where(p => p.Path.Length > 0 && !p.Path.Split('.').Any(k => k is "0" or "any")).Select(p => p.Path)
            .Except(Undocumented);
        var inFile = ValuesFile.Lines.Select(l => l.Path).ToList();
        Assert.Empty(inFile.Except(inSchema));
        // parts of what is {} or null by default need no line of their own
        Assert.All(inSchema.Except(inFile), p =>
            Assert.Contains(ValuesFile.Lines, l => p.StartsWith(l.Path + ".", StringComparison.Ordinal) && IsWhole(l.Path)));
    }

    [Fact]
    public void Every_value_has_a_comment()
    {
        Assert.Equal([], from line in ValuesFile.Lines where line.Comment.Length < 10 select line.Path);
        Assert.Equal(["", "of c, which is in b"], ValuesFile.Read("b:\n  # of c, which is in b\n  c: 2\n").Select(l => l.Comment));
    }

    private static Task<HelmResult> RenderAsync(string values) => Helm.WithValuesAsync(values, args => Helm.TemplateAsync("1.35.0", args));

    private static bool IsUnlimited(WrongValue wrong) => WithoutLimits.Contains(wrong.Path) && long.TryParse(wrong.Value, out _);

    /// <summary>Written on one line, as {…}.</summary>
    private static bool IsWhole(string path) => ValuesFile.Lines.All(l => !l.Path.StartsWith(path + ".", StringComparison.Ordinal));

    /// <summary>helm names a value at the beginning of a line; an unknown one after the object that has it.</summary>
    private static bool Names(string errors, string told) =>
        errors.Split('\n').Any(l => l.StartsWith($"- {told}: ", StringComparison.Ordinal) || l.EndsWith(told, StringComparison.Ordinal));
}

namespace Ebpf.Cni.Cli.Tests.Cluster;

/// <summary>
/// What people see of fixed answers of several nodes: golden/cluster/CASE/NODE.* in, golden/cluster/CASE.txt out. UPDATE_GOLDEN=DIR
/// writes the texts there.
/// </summary>
public class MergedGoldenTests
{
    public static TheoryData<string, string, int> Cases => new()
    {
        { "status", "status", 1 }, { "services", "service list", 0 }, { "service-same", "service get default/web", 0 },
        { "service-differs", "service get -n default web", 1 }, { "endpoints", "endpoint list", 0 }, { "conntrack", "conntrack list", 0 },
        { "ipcache", "ipcache", 0 }, { "probe", "probe web:80", 1 },
    };

    [Theory, MemberData(nameof(Cases))]
    public async Task Text_is_as_it_was(string name, string command, int exitCode)
    {
        using var kubectl = FakeKubectl.Of(Golden(name));
        var outcome = await kubectl.RunAsync(command.Split(' '));
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") is { Length: > 0 } directory)
            await File.WriteAllTextAsync(Path.Combine(directory, "cluster", $"{name}.txt"), outcome.Output);
        else
            Assert.Equal(await File.ReadAllTextAsync(Golden($"{name}.txt")), outcome.Output);
        Assert.Equal((exitCode, ""), (outcome.ExitCode, outcome.Errors));
    }

    /// <summary>What a node prints by itself is not another thing when it is asked from afar.</summary>
    [Theory]
    [InlineData("status", "status")]
    [InlineData("services", "service list")]
    [InlineData("service-differs", "service get default/web")]
    [InlineData("conntrack", "conntrack list")]
    public async Task One_node_that_is_asked_for_answers_as_ecni_does_there(string name, string command)
    {
        using var kubectl = FakeKubectl.Of(Golden(name));
        using var agent = FakeAgent.Answering(await File.ReadAllTextAsync(Path.Combine(Golden(name), "worker-1.json")));
        var (far, near) = (await kubectl.RunAsync([.. command.Split(' '), "--node", "worker-1"]), await agent.RunAsync(command.Split(' ')));
        Assert.Equal(near, far);
        Assert.Single(kubectl.Calls, c => c.StartsWith("exec", StringComparison.Ordinal));
    }

    private static string Golden(string file) => Path.Combine(AppContext.BaseDirectory, "golden", "cluster", file);
}

using System.CommandLine;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Demo;

namespace Ebpf.Cni.Sandbox.Cli;

/// <summary>The command line.</summary>
internal static class Commands
{
    private static readonly Option<string> Name = new("--name")
    {
        Description = "which sandbox; several may run side by side",
        DefaultValueFactory = _ => "demo",
        Recursive = true,
    };

    private static readonly Option<string> Artifacts = new("--artifacts")
    {
        Description = "the directory with ebpf-cni-agent, ebpf-cni and bpf/",
        DefaultValueFactory = _ => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..")), // published, it lies below them
    };

    private static readonly Option<string?> Manifest = new("--install")
    {
        Description = "the manifest that installs the agents, as the chart renders it (default: deploy/ebpf-cni.yaml beside the artifacts)",
    };

    private static readonly Option<bool> NoInstall = new("--no-install")
        { Description = "leave it to others to apply that manifest: agents start when they do" };

    private static readonly Option<int> Nodes = new("--nodes") { Description = "how many nodes", DefaultValueFactory = _ => 2 };

    private static readonly Option<int[]> Links = new("--link")
    {
        Description = "the link that a node is on, once for each node in their order (0: that of all others); between links there is a "
            + "router that knows no pods",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<int> Port = new("--api-port") { Description = "the API's port on 127.0.0.1; 0: a free one" };

    private static readonly Option<string[]> AgentArguments = new("--agent-arg")
    {
        Description = "added to every agent's command line; may be given several times",
        DefaultValueFactory = _ => [],
    };

    public static RootCommand Create() =>
        new("A Kubernetes cluster in a box: an API in memory, nodes as network namespaces, the shipped agent and CNI plugin.")
    {
        Name,
        Up(),
        Down(),
        ExecCommand.Create(Name),
        Agent(),
        DemoCommand(),
    };

    private static Command Up()
    {
        var command = new Command("up", "start a sandbox and run it until Ctrl-C or SIGTERM")
            { Artifacts, Manifest, NoInstall, Nodes, Links, Port, AgentArguments };
        command.SetAction(async (parsed, ct) =>
        {
            await using var cluster = await SandboxCluster.StartAsync(Options(parsed) with { Progress = Console.WriteLine }, ct);
            Console.WriteLine($"ready: export KUBECONFIG={cluster.KubeconfigPath}");
            await Task.Delay(Timeout.Infinite, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 0;
        });
        return command;
    }

    private static Command Down()
    {
        var command = new Command("down", "end a sandbox and remove everything it made, also after a crash");
        command.SetAction(async (parsed, _) =>
        {
            var name = parsed.GetRequiredValue(Name);
            Console.WriteLine(await SandboxCluster.CleanUpAsync(name) ? $"sandbox '{name}' is removed" : $"there is no sandbox '{name}'");
            return 0;
        });
        return command;
    }

    private static Command Agent()
    {
        var command = new Command("agent", "what happens to agents");
        foreach (var (action, what) in (ReadOnlySpan<(string, string)>)[("kill", "kill -9"), ("stop", "SIGTERM, and wait"),
            ("start", "start, and wait until it is ready")])
            command.Add(AgentAction(action, what));
        return command;
    }

    private static Command AgentAction(string action, string what)
    {
        var node = new Argument<string>("node") { Description = "node-a, node-b ..." };
        var command = new Command(action, what) { node };
        command.SetAction(async (parsed, ct) =>
        {
            using var sandbox = SandboxView.Open(parsed.GetRequiredValue(Name));
            await sandbox.Client.PostAsync(NodeEndpoint.AgentPath(parsed.GetRequiredValue(node), action), ct: ct);
            return 0;
        });
        return command;
    }

    private static Command DemoCommand()
    {
        var keep = new Option<bool>("--keep") { Description = "leave the sandbox running" };
        var manifest = new Option<string>("--manifest")
            { Description = "a Deployment, a Service in front of it, and a pod to ask from",
            DefaultValueFactory = _ => "examples/hello.yaml" };
        var command = new Command("demo", "a Service answered by eBPF: start, apply, ask 300 times, show who answered")
            { Artifacts, Manifest, Nodes, Links, Port, AgentArguments, keep, manifest };
        command.SetAction((parsed, ct) =>
            new DemoRun(Options(parsed), Path.GetFullPath(parsed.GetRequiredValue(manifest)), parsed.GetValue(keep)).RunAsync(ct));
        return command;
    }

    private static SandboxOptions Options(ParseResult parsed) => new()
    {
        Name = parsed.GetRequiredValue(Name),
        Artifacts = Path.GetFullPath(parsed.GetRequiredValue(Artifacts)),
        Manifest = parsed.GetValue(Manifest) is { } file ? Path.GetFullPath(file) : null,
        Install = !parsed.GetValue(NoInstall),
        Nodes = parsed.GetValue(Nodes),
        Links = parsed.GetValue(Links) ?? [],
        ApiPort = parsed.GetValue(Port),
        AgentArguments = parsed.GetValue(AgentArguments) ?? [],
    };
}

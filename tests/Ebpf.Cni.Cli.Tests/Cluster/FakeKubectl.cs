using System.Text.Json.Nodes;

namespace Ebpf.Cni.Cli.Tests.Cluster;

/// <summary>
/// A kubectl of a cluster whose agents answer as files say, and that keeps how it was called. It is a program, so that children are
/// started, read and ended as they are.
/// </summary>
internal sealed class FakeKubectl : IDisposable
{
    // exec is called as "exec --namespace NAMESPACE POD ...", behind options of the connection.
    private const string Program = """
        #!/bin/sh
        cd "$(dirname "$0")" || exit 9
        printf '%s\n' "$*" >>calls
        while [ $# -gt 0 ] && [ "${1#-}" != "$1" ]; do shift; done
        case $1 in
        get) name=get ;;
        config) name=config ;;
        exec) name=$4 ;;
        esac
        if [ -e "$name.hangs" ]; then
            echo $$ >"$name.process"
            exec tail -f /dev/null
        fi
        [ -e "$name.out" ] && cat "$name.out"
        [ -e "$name.err" ] && cat "$name.err" >&2
        if [ -e "$name.code" ]; then exit "$(cat "$name.code")"; fi
        exit 0

        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("ebc-cli-test-");
    private readonly JsonArray _pods = [];

    public FakeKubectl()
    {
        Write("kubectl", Program);
        File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Write("get.out", """{"items":[]}""");
    }

    public string Path => Inside("kubectl");

    /// <summary>Command lines, in order.</summary>
    public IReadOnlyList<string> Calls => File.Exists(Inside("calls")) ? File.ReadAllLines(Inside("calls")) : [];

    /// <summary>
    /// A directory of NODE.json (an answer), NODE.err (an error of kubectl or ecni) and NODE.problem (why the pod does not run).
    /// </summary>
    public static FakeKubectl Of(string directory)
    {
        var kubectl = new FakeKubectl();
        foreach (var file in Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal))
        {
            var (node, text) = (System.IO.Path.GetFileNameWithoutExtension(file), File.ReadAllText(file));
            switch (System.IO.Path.GetExtension(file))
            {
                case ".json":
                    kubectl.Answers(node, text);
                    break;
                case ".err":
                    kubectl.Fails(node, text);
                    break;
                default:
                    kubectl.Add(node, text);
                    break;
            }
        }

        return kubectl;
    }

    public FakeKubectl Answers(string node, string body, int exitCode = 0)
    {
        Write($"{Add(node)}.out", body);
        Write($"{PodOf(node)}.code", $"{exitCode}");
        return this;
    }

    public FakeKubectl Fails(string node, string errors)
    {
        Write($"{Add(node)}.err", errors);
        Write($"{PodOf(node)}.code", "1");
        return this;
    }

    /// <returns>Where the process that hangs writes its id.</returns>
    public string Hangs(string node)
    {
        Write($"{Add(node)}.hangs", "");
        return Inside($"{PodOf(node)}.process");
    }

    /// <summary>kubectl get or kubectl config: what it prints.</summary>
    public void Prints(string verb, string output) => Write($"{verb}.out", output);

    public void Refuses(string verb, string errors)
    {
        Write($"{verb}.err", errors);
        Write($"{verb}.code", "1");
    }

    public Task<Outcome> RunAsync(params string[] arguments) => RunAsync("kubectl-ecni", arguments);

    public Task<Outcome> RunAsync(string invokedAs, string[] arguments) =>
        Outcome.OfAsync($"/usr/local/bin/{invokedAs}", arguments, name => name == "KUBECTL" ? Path : null);

    public void Dispose() => _directory.Delete(recursive: true);

    private static string PodOf(string node) => $"ebpf-cni-{node}";

    /// <param name="node">Its node.</param>
    /// <param name="problem">Null: its container runs; a phase; or why its container waits.</param>
    private string Add(string node, string? problem = null)
    {
        JsonObject Status(string phase, JsonObject state) =>
            new() { ["phase"] = phase, ["containerStatuses"] = new JsonArray(new JsonObject { ["name"] = "agent", ["state"] = state }) };

        _pods.Add((JsonNode)new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = PodOf(node), ["namespace"] = "kube-system" },
            ["spec"] = new JsonObject { ["nodeName"] = node },
            ["status"] = problem switch
            {
                null => Status("Running", new JsonObject { ["running"] = new JsonObject() }),
                "Pending" => new JsonObject { ["phase"] = "Pending" },
                _ => Status("Running", new JsonObject { ["waiting"] = new JsonObject { ["reason"] = problem } }),
            },
        });
        Write("get.out", new JsonObject { ["kind"] = "PodList", ["items"] = _pods.DeepClone() }.ToJsonString());
        return PodOf(node);
    }

    private string Inside(string name) => System.IO.Path.Combine(_directory.FullName, name);

    private void Write(string name, string text) => File.WriteAllText(Inside(name), text);
}

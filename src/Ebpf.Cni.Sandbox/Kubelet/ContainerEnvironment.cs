using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>The container's specification asks for what the sandbox cannot give; the message says what.</summary>
internal sealed class ContainerConfigurationException(string message) : Exception(message);

/// <summary>Environment and command line of a container: the downward API, and $(NAME) expansion.</summary>
internal static class ContainerEnvironment
{
    /// <summary>$TERM of what runs on a terminal.</summary>
    public const string TerminalType = "xterm";

    public const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <exception cref="ContainerConfigurationException">A source of values that the sandbox does not have.</exception>
    public static Dictionary<string, string> Build(JsonObject pod, JsonObject container, PodAddresses addresses)
    {
        var environment = new Dictionary<string, string>
        {
            ["PATH"] = DefaultPath,
            ["HOME"] = "/root",
            ["HOSTNAME"] = pod.Text("spec", "hostname") ?? pod.Name(),
        };
        foreach (var variable in container.Items("env"))
        {
            var name = variable.Text("name") ?? throw new ContainerConfigurationException("an environment variable without a name");
            environment[name] = variable["valueFrom"] is JsonObject source
                ? FieldOf(pod, source.Text("fieldRef", "fieldPath")
                    ?? throw new ContainerConfigurationException("the sandbox knows only fieldRef as the source of a variable"), addresses)
                : Expand(variable.Text("value") ?? "", environment);
        }
        return environment;
    }

    /// <summary>The command and its arguments; the arguments alone, as for an image without an entry point.</summary>
    /// <exception cref="ContainerConfigurationException">Neither.</exception>
    public static IReadOnlyList<string> CommandOf(JsonObject container, IReadOnlyDictionary<string, string> environment)
    {
        var command = container.Texts("command").Concat(container.Texts("args")).Select(part => Expand(part, environment)).ToList();
        return command.Count > 0
            ? command
            : throw new ContainerConfigurationException(
                "the sandbox reads no images and runs programs of this machine: the container needs a command or arguments");
    }

    /// <summary>$(NAME) becomes the value of a known variable and is left alone otherwise; $$ is one $.</summary>
    public static string Expand(string text, IReadOnlyDictionary<string, string> values)
    {
        var result = new StringBuilder(text.Length);
        for (var at = 0; at < text.Length; at++)
        {
            var next = at + 1 < text.Length ? text[at + 1] : '\0';
            var end = text[at] == '$' && next == '(' ? text.IndexOf(')', at) : -1;
            if (text[at] == '$' && next == '$')
            {
                result.Append('$');
                at++;
            }
            else if (end > 0 && values.TryGetValue(text[(at + 2)..end], out var value))
            {
                result.Append(value);
                at = end;
            }
            else
            {
                result.Append(text[at]);
            }
        }
        return result.ToString();
    }

    /// <exception cref="ContainerConfigurationException">There is no such field.</exception>
    public static string FieldOf(JsonObject pod, string path, PodAddresses addresses) => path switch
    {
        "metadata.name" => pod.Name(),
        "metadata.namespace" => pod.Namespace(),
        "metadata.uid" => pod.Uid(),
        "spec.nodeName" => pod.Text("spec", "nodeName") ?? "",
        "spec.serviceAccountName" => pod.Text("spec", "serviceAccountName") ?? "default",
        "status.podIP" => addresses.Pod is [var first, ..] ? first.ToString() : "",
        "status.podIPs" => string.Join(',', addresses.Pod),
        "status.hostIP" => addresses.Host[0].ToString(),
        "status.hostIPs" => string.Join(',', addresses.Host),
        _ => Keyed(pod, path, "metadata.labels") ?? Keyed(pod, path, "metadata.annotations")
            ?? throw new ContainerConfigurationException($"no field {path}"),
    };

    // metadata.labels['app']: a key that is absent reads as empty
    private static string? Keyed(JsonObject pod, string path, string map) =>
        path.StartsWith(map + "['", StringComparison.Ordinal) && path.EndsWith("']", StringComparison.Ordinal)
            ? pod.Text("metadata", map[9..], path[(map.Length + 2)..^2]) ?? ""
            : null;
}

/// <summary>What a pod's processes can be told of where they are.</summary>
/// <param name="Pod">Its own addresses, the first one first; the node's where it shares the node's network.</param>
internal sealed record PodAddresses(IReadOnlyList<IPAddress> Pod, IReadOnlyList<IPAddress> Host);

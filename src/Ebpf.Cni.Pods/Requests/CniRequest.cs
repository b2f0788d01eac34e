using System.Text.Json;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>A request as the plugin hands it over, checked again: the socket is root's, but nothing that comes in is trusted.</summary>
public sealed record CniRequest
{
    /// <summary>It is written into state files; real names are shorter.</summary>
    public const int LongestNetworkName = 255;

    /// <summary>
    /// A Kubernetes name is a DNS subdomain: 253 characters (RFC 1123). The bound keeps state files, log lines and events bounded.
    /// </summary>
    private const int LongestPodName = 253;

    public required string Command { get; init; }
    public EndpointKey Key { get; init; }
    public string Netns { get; init; } = "";

    /// <summary>namespace/name, from CNI_ARGS; "" when the runtime does not set it.</summary>
    public string Pod { get; init; } = "";

    /// <summary>From CNI_ARGS; "" when the runtime does not set it.</summary>
    public string PodUid { get; init; } = "";

    /// <summary>The network's name: attachments of other networks are none of a GC's.</summary>
    public string Network { get; init; } = "";

    /// <summary>runtimeConfig of an ADD.</summary>
    public RuntimeConfig Runtime { get; init; } = RuntimeConfig.None;

    /// <summary>One of <see cref="CniVersion.Supported"/>; of a DEL, which has no answer that would differ, the newest.</summary>
    public required string Version { get; init; }

    /// <summary>prevResult of a CHECK, and of an ADD that is not the first of its chain.</summary>
    public PreviousResult? Previous { get; init; }

    /// <summary>dns of the network configuration, handed on in the result.</summary>
    public JsonElement? Dns { get; init; }

    /// <summary>cni.dev/valid-attachments of a GC; null when missing.</summary>
    public IReadOnlySet<EndpointKey>? Attachments { get; init; }

    /// <exception cref="CniException">Code 4, 6 or 7: what is wrong with it.</exception>
    public static CniRequest Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return Read(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new CniException(CniErrorCode.DecodingFailure, "the request is not well-formed JSON", e.Message, e);
        }
    }

    private static CniRequest Read(JsonElement request)
    {
        if (request.ValueKind != JsonValueKind.Object)
            throw new CniException(CniErrorCode.DecodingFailure, "the request is not a JSON object");
        var command = Text(request, "command");
        if (command is not ("ADD" or "DEL" or "CHECK" or "STATUS" or "GC"))
            throw new CniException(CniErrorCode.InvalidEnvironment, $"CNI command '{command}' is not supported");
        // Whatever else it carries: a refused DEL is refused on every retry, and its pod stays.
        if (command == "DEL")
            return new CniRequest { Command = command, Version = CniVersion.Newest, Key = KeyOf(request, command) };
        if (!request.TryGetProperty("config", out var config) || config.ValueKind != JsonValueKind.Object)
            throw new CniException(CniErrorCode.InvalidNetworkConfig, "the request has no network configuration");
        var version = CniVersion.Of(ConfigText(config, "cniVersion"));
        if (!CniVersion.IsSupported(version) || !CniVersion.Knows(version, command))
            throw new CniException(
                CniErrorCode.IncompatibleVersion, $"cniVersion '{version}' is not supported or does not define {command}");
        var args = Text(request, "args");
        if (args.Length > CniNames.VariableMax)
            throw new CniException(CniErrorCode.InvalidEnvironment, $"CNI_ARGS is longer than {CniNames.VariableMax} characters");
        return new CniRequest
        {
            Command = command,
            Version = version,
            Key = KeyOf(request, command),
            Netns = NetnsOf(request, command),
            Pod = PodOf(args),
            PodUid = ArgumentOf(args, "K8S_POD_UID"),
            Network = NetworkOf(config),
            Runtime = command == "ADD" && Member(config, "runtimeConfig", JsonValueKind.Object) is { } runtime
            ? RuntimeConfig.Read(runtime) : RuntimeConfig.None,
            Previous = command is "ADD" or "CHECK" && Member(config, "prevResult", JsonValueKind.Object) is { } previous
            ? PreviousResult.Read(previous) : null,
            Dns = Member(config, "dns", JsonValueKind.Object),
            Attachments = Member(config, "cni.dev/valid-attachments", JsonValueKind.Array) is { } list ? ReadAttachments(list) : null,
        };
    }

    /// <summary>STATUS and GC are about no attachment.</summary>
    private static EndpointKey KeyOf(JsonElement request, string command)
    {
        if (command is "STATUS" or "GC")
            return default;
        var key = new EndpointKey(Text(request, "containerId"), Text(request, "ifname"));
        if (!CniNames.IsContainerId(key.ContainerId))
            throw new CniException(CniErrorCode.InvalidEnvironment, $"'{key.ContainerId}' is not a container id");
        return CniNames.IsInterfaceName(key.Ifname)
            ? key
            : throw new CniException(CniErrorCode.InvalidEnvironment, $"'{key.Ifname}' is not an interface name");
    }

    private static string NetnsOf(JsonElement request, string command)
    {
        if (command is "STATUS" or "GC")
            return "";
        var netns = Text(request, "netns");
        return CniNames.IsAbsolutePath(netns)
            ? netns
            : throw new CniException(CniErrorCode.InvalidEnvironment, $"'{netns}' is not the path of a network namespace");
    }

    private static string NetworkOf(JsonElement config)
    {
        var name = ConfigText(config, "name");
        return name.Length <= LongestNetworkName
            ? name
            : throw new CniException(
                CniErrorCode.InvalidNetworkConfig, $"the network's name is longer than {LongestNetworkName} characters");
    }

    private static HashSet<EndpointKey> ReadAttachments(JsonElement list)
    {
        var keys = new HashSet<EndpointKey>();
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object)
                throw new CniException(CniErrorCode.InvalidNetworkConfig, "an element of cni.dev/valid-attachments is not an object");
            keys.Add(new EndpointKey(Text(item, "containerID"), Text(item, "ifname")));
        }

        return keys;
    }

    private static JsonElement? Member(JsonElement owner, string name, JsonValueKind kind)
    {
        if (!owner.TryGetAnyCase(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind == kind
            ? value.Clone()
            : throw new CniException(CniErrorCode.InvalidNetworkConfig, $"'{name}' is not of the type {kind}");
    }

    private static string Text(JsonElement owner, string name) => owner.TryGetProperty(name, out var value) ? TextOf(value, name) : "";

    /// <summary>Of the configuration: in any case, and null is nothing.</summary>
    private static string ConfigText(JsonElement config, string name) =>
        config.TryGetAnyCase(name, out var value) && value.ValueKind != JsonValueKind.Null ? TextOf(value, name) : "";

    private static string TextOf(JsonElement value, string name)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String
                ? value.GetString()!
                : throw new InvalidOperationException("its JSON type is not string");
        }
        catch (InvalidOperationException e)
        {
            throw new CniException(CniErrorCode.DecodingFailure, $"'{name}' is not a string", e.Message, e);
        }
    }

    private static string PodOf(string args)
    {
        var name = ArgumentOf(args, "K8S_POD_NAME");
        return name.Length == 0 ? "" : $"{ArgumentOf(args, "K8S_POD_NAMESPACE")}/{name}";
    }

    /// <summary>The value in KEY=value;KEY=value; the last wins, "" without. What we do not know may be anything.</summary>
    /// <exception cref="CniException">Code 4: it goes into files, log lines and events, and could not stand there.</exception>
    private static string ArgumentOf(string args, string key)
    {
        var value = args.Split(';').LastOrDefault(p => p.StartsWith(key + "=", StringComparison.Ordinal))?[(key.Length + 1)..] ?? "";
        return value.Length <= LongestPodName && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_')
            ? value
            : throw new CniException(CniErrorCode.InvalidEnvironment, $"{key} in CNI_ARGS is not a name");
    }
}

using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin;

/// <summary>What a runtime says in environment variables, checked as the command demands.</summary>
public sealed record PluginEnvironment(string Command, string ContainerId, string Netns, string Ifname, string Args, string Path)
{
    /// <summary>Reads the variables; all that is wrong is named in one error.</summary>
    /// <param name="variable">The value of a variable, or null.</param>
    /// <exception cref="CniException">Code 4: a variable is missing or malformed.</exception>
    public static PluginEnvironment Read(Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        string Get(string name) => variable(name) ?? "";
        var read = new PluginEnvironment(
            Get("CNI_COMMAND"), Get("CNI_CONTAINERID"), Get("CNI_NETNS"), Get("CNI_IFNAME"), Get("CNI_ARGS"), Get("CNI_PATH"));
        var problems = read.Problems().ToList();
        return problems.Count == 0
            ? read
            : throw new CniException(CniErrorCode.InvalidEnvironment, "invalid environment: " + string.Join("; ", problems));
    }

    private IEnumerable<string> Problems()
    {
        if (Command is not ("ADD" or "DEL" or "CHECK" or "VERSION" or "STATUS" or "GC"))
        {
            yield return Command.Length == 0 ? "CNI_COMMAND is not set" : $"CNI_COMMAND '{Command}' is not a command";
            yield break;
        }

        // A DEL must not fail for what it does not need; and it may come without a namespace, which is gone with the container.
        var deletes = Command == "DEL";
        if (!deletes && Args.Length > CniNames.VariableMax)
            yield return $"CNI_ARGS is longer than {CniNames.VariableMax} characters";
        if (!deletes && Path.Length > CniNames.VariableMax)
            yield return $"CNI_PATH is longer than {CniNames.VariableMax} characters";
        if (Command is "VERSION" or "STATUS" or "GC")
            yield break;
        if (!CniNames.IsContainerId(ContainerId))
            yield return ContainerId.Length == 0 ? "CNI_CONTAINERID is not set" : $"CNI_CONTAINERID '{ContainerId}' is not a container id";
        if (!CniNames.IsInterfaceName(Ifname))
            yield return Ifname.Length == 0 ? "CNI_IFNAME is not set" : $"CNI_IFNAME '{Ifname}' is not an interface name";
        if (!deletes && !CniNames.IsAbsolutePath(Netns))
            yield return Netns.Length == 0 ? "CNI_NETNS is not set" : $"CNI_NETNS '{Netns}' is not an absolute path";
    }
}

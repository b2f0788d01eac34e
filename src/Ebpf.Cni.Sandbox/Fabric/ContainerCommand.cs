using Ebpf.Cni.Sandbox.Install;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>What makes a process what a runtime would make it: its capabilities and no others, and exactly its environment.</summary>
internal static class ContainerCommand
{
    public static IReadOnlyList<string> Of(ContainerPlan container,
        IReadOnlyDictionary<string, string> environment, IReadOnlyList<string> command)
    {
        // who becomes root by exec has what the bounding set leaves
        var bounds = string.Join(',', container.Capabilities.Select(c => "+" + c.ToLowerInvariant()).Prepend("-all"));
        string[] privileges = container.NoNewPrivileges ? ["--no-new-privs"] : [];
        return
        [
            "setpriv", "--bounding-set", bounds, "--inh-caps", "-all", "--ambient-caps", "-all", .. privileges, "--",
            "env", "-i", .. environment.Select(variable => $"{variable.Key}={variable.Value}"), .. command,
        ];
    }
}

namespace Ebpf.Cni.Chart.Tests.Values;

/// <summary>
/// Options of the agent that are no values of the chart, and why. A new option fails the tests until it is here or in values.yaml.
/// </summary>
internal static class FixedOptions
{
    public static readonly IReadOnlyDictionary<string, string> Reasons = new Dictionary<string, string>
    {
        ["node-name"] = "from the pod's `spec.nodeName`",
        ["kubeconfig"] = "the pod's service account",
        ["bpffs-root"] = "the default",
        ["cgroup-root"] = "the default; the node's is mounted at `/host/sys/fs/cgroup`",
        ["sysctl-root"] = "the node's, at `/host/proc/sys/net`",
        ["bpf-objects"] = "in the image",
        ["cni-plugin"] = "in the image",
        ["state-dir"] = "`hostPaths.state`",
        ["run-dir"] = "`hostPaths.run`",
        ["cni-conf-dir"] = "`hostPaths.cniConf`",
        ["cni-bin-dir"] = "`hostPaths.cniBin`",
        ["cni-mode"] = "`profile`",
        ["cleanup-kube-proxy"] = "off: neither nft nor iptables is in the image",
    };
}

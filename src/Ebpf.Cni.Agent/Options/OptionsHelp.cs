using System.Text;

namespace Ebpf.Cni.Agent.Options;

/// <summary>The text of --help.</summary>
public static class OptionsHelp
{
    public static string Text
    {
        get
        {
            var text = new StringBuilder("""
                ebpf-cni-agent: pod networking and services in eBPF, one agent a node.

                ebpf-cni-agent prepare --host-proc DIR [options]: prepares a node for an agent in a container. DIR is where the node's
                /proc is mounted. Mounts a bpffs and cgroup v2 on the node where they are missing, and installs the plugin.

                ebpf-cni-agent cleanup [--force] [--stay] [--host-proc DIR] [options]: takes everything that agents made off
                this node, and prints what was removed, restored and left. Refused while an agent runs, and while pods use the
                network unless --force is given. --host-proc: from a container, on the node whose /proc is mounted at DIR.
                --stay: after a success, end on SIGTERM only. Exit codes: 0 done, also where there was nothing; 1 something
                could not be removed; 2 wrong options or missing rights, nothing touched; 3 refused, nothing touched.

                Options, also as environment variables (--node-name is EBPF_CNI_NODE_NAME) and as members of the JSON file
                named by --config (nodeName). The command line wins over the environment, the environment over the file.

                  --config FILE
                      A JSON file of options.

                """);
            foreach (var option in OptionTable.All)
            {
                text.Append("  ").Append(option.Switch).Append(' ').Append(option.Value);
                if (option.Default.Length > 0)
                    text.Append("   (").Append(option.Default).Append(')');
                text.Append("\n      ").Append(option.Help).Append('\n');
            }

            return text.Append("  --help, --version\n").ToString();
        }
    }
}

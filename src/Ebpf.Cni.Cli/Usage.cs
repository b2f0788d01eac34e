namespace Ebpf.Cni.Cli;

internal static class Usage
{
    public const string Text = """
        ecni: what the ebpf-cni agent of this node knows, and what the kernel's tables hold.

        usage: ecni [options] COMMAND

          status                        the node at a glance; exit code 1 if the agent is not ready
          service list [-n NAMESPACE]   frontends in the kernel
          service get NAMESPACE/NAME    one service: its frontends and their backends
          endpoint list [-n NAMESPACE]  pods' interfaces on this node
          conntrack list                connections that are translated packet by packet
              --client ADDRESS|NAMESPACE/POD, --service NAMESPACE/NAME
          ipcache [list]                what destinations are: pods, nodes, exempt from masquerading
          probe HOST:PORT               resolves, opens a TCP connection, prints the time; needs no agent
              --timeout SECONDS (5)
          help, version

        options:
          -o table|json   what is printed; json is the agent's answer as it is
          --limit N       most lines of a list (1000; conntrack 100)
          --run-dir DIR   the agent's --run-dir, where its socket is ($EBPF_CNI_RUN_DIR; /run/ebpf-cni)

        exit codes: 0 good; 1 failed, not ready or not found; 2 the command line is wrong

        """;
}

using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Agent.Pods;

/// <summary>The node's settings that pods' traffic needs. Behind another plugin, forwarding and the MTU are that plugin's.</summary>
public sealed partial class PodSettings(NodeSetup setup, EndpointStore store, PodMtu mtu, AgentOptions options, ILogger<PodSettings> log)
{
    private bool Chained => options.CniMode == CniMode.Chained;

    /// <summary>Sets what is not set. Idempotent.</summary>
    public void Ensure()
    {
        if (!Chained)
            setup.Run(store.Ranges.Select(r => r.Family));
        setup.TranslateOwnPackets();
    }

    public void LogMtu()
    {
        if (Chained)
            return;
        try
        {
            Log.Mtu(log, mtu.Value, options.Mtu > 0 ? "--mtu" : "from the MTU of the uplinks");
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            // The next ADD reads it again, and logs it then.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3161, LogLevel.Information, "pod MTU: {Mtu} ({Source})")]
        public static partial void Mtu(ILogger log, int mtu, string source);
    }
}

using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Agent.Pods;

/// <summary>
/// Makes what the CNI plugin and the container runtime meet: the socket, and the file that answers STATUS without an agent.
/// </summary>
public sealed class CniServing(
    AgentOptions options, ICniObserver observer, CniRefusals refusals, TimeProvider time, ILoggerFactory logs)
{
    public CniServer Server(CniHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return new CniServer(
            options.CniSocket, (request, cancel) => refusals.Watch(handler.HandleAsync, request, cancel), observer, time,
            logs.CreateLogger<CniServer>());
    }

    public StatusFile StatusFile(CniHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return new StatusFile(LastStatus.PathBeside(options.CniSocket), handler.Unavailable, time, logs.CreateLogger<StatusFile>());
    }
}

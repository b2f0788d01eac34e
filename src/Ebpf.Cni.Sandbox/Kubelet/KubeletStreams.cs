using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>Has the kubelets run commands in pods, and connects to pods' ports.</summary>
internal sealed class KubeletStreams(Func<string, NodeKubelet?> kubelet) : IPodStreams
{
    private static readonly IPAddress[] Loopbacks = [IPAddress.Loopback, IPAddress.IPv6Loopback];

    public async Task<Func<IPodProcess>> ExecAsync(JsonObject pod, ExecRequest request, CancellationToken ct)
    {
        try
        {
            var plan = await KubeletOf(pod).ExecPlanAsync(pod, request);
            return () => Start(plan, pod, request);
        }
        catch (ContainerConfigurationException e)
        {
            throw NotStarted(pod, e);
        }
    }

    public async Task<Stream> ConnectAsync(JsonObject pod, int port, CancellationToken ct)
    {
        try
        {
            return new NetworkStream(await ConnectAsync(KubeletOf(pod).NamespaceOf(pod), port, ct), ownsSocket: true);
        }
        catch (Exception e) when (e is SocketException or ApiException or ObjectDisposedException)
        {
            throw new IOException($"failed to connect to localhost:{port} in pod {pod.Name()}: {e.Message}", e);
        }
    }

    private static ContainerProcess Start(ProcessPlan plan, JsonObject pod, ExecRequest request)
    {
        try
        {
            return ContainerProcess.Start(plan, request.Terminal);
        }
        catch (Exception e) when (e is IOException or KernelException or ObjectDisposedException)
        {
            throw NotStarted(pod, e); // the container has ended meanwhile
        }
    }

    private static ApiException NotStarted(JsonObject pod, Exception e) =>
        ApiException.BadRequest($"the command cannot be started in pod {pod.Name()}: {e.Message}");

    // some servers listen on one of them alone
    private static async Task<Socket> ConnectAsync(NetworkNamespace from, int port, CancellationToken ct)
    {
        foreach (var address in Loopbacks[..^1])
        {
            try
            {
                return await NamespaceSockets.ConnectAsync(from, new IPEndPoint(address, port), ct);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
            {
                // the other one, then
            }
        }

        return await NamespaceSockets.ConnectAsync(from, new IPEndPoint(Loopbacks[^1], port), ct);
    }

    private NodeKubelet KubeletOf(JsonObject pod) =>
        kubelet(pod.Text("spec", "nodeName") ?? "") ?? throw ApiException.BadRequest($"pod {pod.Name()} does not run: no node has it");
}

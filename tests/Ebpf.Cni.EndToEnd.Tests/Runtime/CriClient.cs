using System.Net.Sockets;
using Ebpf.Cni.EndToEnd.Tests.Runtime.Cri;
using Grpc.Core;
using Grpc.Net.Client;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>Asks a container runtime for what kubelet asks it for, over its unix socket.</summary>
internal sealed class CriClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly GrpcChannel _channel;
    private readonly RuntimeService.RuntimeServiceClient _runtime;
    private readonly ImageService.ImageServiceClient _images;

    public CriClient(string socket)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, ct) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), ct);
                    return new NetworkStream(connection, ownsSocket: true);
                }
                catch
                {
                    connection.Dispose();
                    throw;
                }
            },
        };
        _channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        _runtime = new RuntimeService.RuntimeServiceClient(_channel);
        _images = new ImageService.ImageServiceClient(_channel);
    }

    private static DateTime Deadline => DateTime.UtcNow + Patience;

    /// <summary>The sandbox's id.</summary>
    /// <exception cref="RpcException">The runtime's words, and the plugin's within them.</exception>
    public async Task<string> RunAsync(PodSandboxConfig config) =>
        (await _runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = config }, deadline: Deadline)).PodSandboxId;

    /// <summary>Ends its processes and takes its network away; twice is no error.</summary>
    public async Task StopAsync(string id) =>
        await _runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = id }, deadline: Deadline);

    public async Task RemoveAsync(string id) =>
        await _runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = id }, deadline: Deadline);

    /// <param name="verbose">With what the runtime knows beyond the API, as JSON.</param>
    public async Task<PodSandboxStatusResponse> StatusAsync(string id, bool verbose = false) =>
        await _runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = id, Verbose = verbose }, deadline: Deadline);

    public async Task<IReadOnlyList<PodSandbox>> ListAsync() =>
        (await _runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), deadline: Deadline)).Items;

    /// <summary>Makes a container in a sandbox and starts it.</summary>
    /// <returns>Its id.</returns>
    public async Task<string> StartContainerAsync(string sandbox, PodSandboxConfig pod, ContainerConfig config)
    {
        var made = await _runtime.CreateContainerAsync(
            new CreateContainerRequest { PodSandboxId = sandbox, Config = config, SandboxConfig = pod }, deadline: Deadline);
        await _runtime.StartContainerAsync(new StartContainerRequest { ContainerId = made.ContainerId }, deadline: Deadline);
        return made.ContainerId;
    }

    /// <param name="verbose">With what the runtime knows beyond the API, as JSON: its process.</param>
    public async Task<ContainerStatusResponse> ContainerStatusAsync(string id, bool verbose = false) =>
        await _runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = id, Verbose = verbose }, deadline: Deadline);

    /// <summary>SIGTERM, and SIGKILL after some seconds.</summary>
    public async Task StopContainerAsync(string id) =>
        await _runtime.StopContainerAsync(new StopContainerRequest { ContainerId = id, Timeout = 5 }, deadline: Deadline);

    public async Task RemoveContainerAsync(string id) =>
        await _runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = id }, deadline: Deadline);

    /// <summary>What kubelet makes the node's readiness of.</summary>
    public async Task<RuntimeCondition> ConditionAsync(string type) =>
        (await _runtime.StatusAsync(new StatusRequest(), deadline: Deadline)).Status.Conditions.Single(c => c.Type == type);

    /// <summary>It answers.</summary>
    public async Task<bool> IsServingAsync()
    {
        try
        {
            return (await ConditionAsync("RuntimeReady")).Status;
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.Unimplemented or StatusCode.Unknown)
        {
            return false;
        }
    }

    public async Task<bool> HasImageAsync(string name) =>
        (await _images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = name } }, deadline: Deadline)).Image
            is not null;

    public void Dispose() => _channel.Dispose();
}

using System.Net;
using System.Net.Http.Headers;
using Ebpf.Cni.Kubernetes.Connection;
using k8s;

namespace Ebpf.Cni.Kubernetes;

/// <summary>Where the API server is and how to be let in. Holds one <see cref="HttpClient"/>; disposing closes every watch on it.</summary>
public sealed class KubernetesConnection : IDisposable
{
    /// <summary>Where the kubelet mounts the pod's credentials.</summary>
    public const string ServiceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";

    private KubernetesConnection(Uri baseAddress, HttpMessageHandler handler, string source)
    {
        BaseAddress = baseAddress;
        Source = source;
        // Requests have no overall time limit: a watch is meant to last. Silence is what the readers limit.
        Http = new HttpClient(handler)
        {
            BaseAddress = baseAddress,
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        Http.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        Http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("ebpf-cni", null));
    }

    /// <summary>The API server's address, ending in a slash.</summary>
    public Uri BaseAddress { get; }

    /// <summary>A client that authenticates every request, redirects none and never times out by itself.</summary>
    public HttpClient Http { get; }

    /// <summary>Where the settings came from, for logs: a file's path or "in-cluster".</summary>
    public string Source { get; }

    /// <summary>
    /// The current context of a kubeconfig: tokens, basic auth, client certificates, exec plugins. A context without
    /// a user is anonymous. What the file and those that it names say of certificates, CAs and credentials is read
    /// again when they change; the server's address is not. A proxy of the environment is used as kubectl would.
    /// </summary>
    /// <param name="path">The file; null: $KUBECONFIG's first entry, else ~/.kube/config.</param>
    /// <param name="time">The clock; null: the system's.</param>
    /// <exception cref="KubernetesConnectionException">The file is missing or says nothing usable.</exception>
    public static KubernetesConnection FromKubeconfig(string? path = null, TimeProvider? time = null)
    {
        path ??= Environment.GetEnvironmentVariable("KUBECONFIG")?.Split(':', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault()
            ?? KubernetesClientConfiguration.KubeConfigDefaultLocation;
        var source = new KubeconfigSource(path);
        var server = Normalize(source.Server());
        var proxy = ProxyEnvironment.For(server, Environment.GetEnvironmentVariable);
        return new KubernetesConnection(server, Renewing(source, proxy, time ?? TimeProvider.System), path);
    }

    /// <summary>
    /// The pod's own service account: address from the environment, CA and token
    /// from the mounted directory, read again as they are rotated. No proxy.
    /// </summary>
    /// <exception cref="KubernetesConnectionException">Not running in a pod, or the files are missing.</exception>
    public static KubernetesConnection InCluster(TimeProvider? time = null, string serviceAccountDirectory = ServiceAccountDirectory)
    {
        var host = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST");
        var port = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT");
        if (string.IsNullOrEmpty(host) || string.IsNullOrEmpty(port))
            throw new KubernetesConnectionException(
                "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are unset; set the kubeconfig option");
        return InCluster(host, port, serviceAccountDirectory, time ?? TimeProvider.System);
    }

    /// <summary>A plain address without credentials (kubectl proxy, tests).</summary>
    public static KubernetesConnection Anonymous(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        var settings = new TransportSettings(ServerTrust.Of(null), null, null, new FixedCredentials(null));
        return new KubernetesConnection(Normalize(address.AbsoluteUri), ApiTransport.Create(settings, null), address.AbsoluteUri);
    }

    public void Dispose() => Http.Dispose();

    internal static KubernetesConnection InCluster(string host, string port, string directory, TimeProvider time)
    {
        var address = host.Contains(':', StringComparison.Ordinal) ? $"https://[{host}]:{port}" : $"https://{host}:{port}";
        return new KubernetesConnection(Normalize(address), Renewing(new ServiceAccountSource(directory, time), null, time), "in-cluster");
    }

    private static RenewingHandler Renewing(TransportSource source, IWebProxy? proxy, TimeProvider time) =>
        new(source, settings => new CredentialHandler(settings.Credentials, ApiTransport.Create(settings, proxy)), time);

    private static Uri Normalize(string host)
    {
        if (!Uri.TryCreate(host.TrimEnd('/') + "/", UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            throw new KubernetesConnectionException($"'{host}' is not an http or https address");
        return uri;
    }
}

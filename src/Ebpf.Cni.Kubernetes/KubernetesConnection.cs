using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
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
    /// The current context of a kubeconfig: tokens, basic auth, client certificates, exec plugins. A context without a user is anonymous.
    /// </summary>
    /// <param name="path">The file; null: $KUBECONFIG's first entry, else ~/.kube/config.</param>
    /// <exception cref="KubernetesConnectionException">The file is missing or says nothing usable.</exception>
    public static KubernetesConnection FromKubeconfig(string? path = null)
    {
        path ??= Environment.GetEnvironmentVariable("KUBECONFIG")?.Split(':', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault()
            ?? KubernetesClientConfiguration.KubeConfigDefaultLocation;
        if (!File.Exists(path))
            throw new KubernetesConnectionException($"kubeconfig {path} does not exist");
        try
        {
            var config = KubernetesClientConfiguration.BuildConfigFromConfigFile(path);
            var trust = config.SkipTlsVerify ? ServerTrust.Anything : ServerTrust.Of(config.SslCaCerts);
            var transport = ApiTransport.Create(trust, config.TlsServerName, ClientCertificate(config));
            return new KubernetesConnection(Normalize(config.Host), new CredentialHandler(KubeconfigCredentials(config), transport), path);
        }
        // The library's parser throws whatever the file provokes (YAML, base64, certificate, null reference): all of it is the file's fault.
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new KubernetesConnectionException($"kubeconfig {path} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>The pod's own service account: address from the environment, CA and token from the mounted directory. The token file is read again as it is rotated.</summary>
    /// <exception cref="KubernetesConnectionException">Not running in a pod, or the files are missing.</exception>
    public static KubernetesConnection InCluster(TimeProvider? time = null, string serviceAccountDirectory = ServiceAccountDirectory)
    {
        var host = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST");
        var port = Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT");
        if (string.IsNullOrEmpty(host) || string.IsNullOrEmpty(port))
            throw new KubernetesConnectionException(
                "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are unset; name a kubeconfig instead");
        return InCluster(host, port, serviceAccountDirectory, time ?? TimeProvider.System);
    }

    /// <summary>A plain address without credentials (kubectl proxy, tests).</summary>
    public static KubernetesConnection Anonymous(Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return new KubernetesConnection(Normalize(address.AbsoluteUri), ApiTransport.Create(ServerTrust.Of(null), null, null), address.AbsoluteUri);
    }

    public void Dispose() => Http.Dispose();

    internal static KubernetesConnection InCluster(string host, string port, string directory, TimeProvider time)
    {
        var ca = Path.Combine(directory, "ca.crt");
        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPemFile(ca);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new KubernetesConnectionException($"the cluster's CA {ca} cannot be read: {e.Message}", e);
        }

        if (roots.Count == 0)
            throw new KubernetesConnectionException($"{ca} holds no certificate");
        var token = new TokenFile(Path.Combine(directory, "token"), time);
        token.Read(); // a missing token is told at start, not at the first request
        var address = host.Contains(':', StringComparison.Ordinal) ? $"https://[{host}]:{port}" : $"https://{host}:{port}";
        return new KubernetesConnection(
            Normalize(address), new CredentialHandler(token, ApiTransport.Create(ServerTrust.Of(roots), null, null)), "in-cluster");
    }

    private static Credentials KubeconfigCredentials(KubernetesClientConfiguration config)
    {
        if (config.TokenProvider is { } provider)
            return new ProvidedCredentials(provider.GetAuthenticationHeaderAsync);
        if (!string.IsNullOrEmpty(config.AccessToken))
            return new FixedCredentials(new AuthenticationHeaderValue("Bearer", config.AccessToken));
        if (!string.IsNullOrEmpty(config.Username))
        {
            var pair = Encoding.UTF8.GetBytes($"{config.Username}:{config.Password}");
            return new FixedCredentials(new AuthenticationHeaderValue("Basic", Convert.ToBase64String(pair)));
        }

        return new FixedCredentials(null);
    }

    private static X509Certificate2? ClientCertificate(KubernetesClientConfiguration config)
    {
        if (!string.IsNullOrEmpty(config.ClientCertificateData) && !string.IsNullOrEmpty(config.ClientCertificateKeyData))
            return X509Certificate2.CreateFromPem(Pem(config.ClientCertificateData), Pem(config.ClientCertificateKeyData));
        if (!string.IsNullOrEmpty(config.ClientCertificateFilePath) && !string.IsNullOrEmpty(config.ClientKeyFilePath))
            return X509Certificate2.CreateFromPemFile(config.ClientCertificateFilePath, config.ClientKeyFilePath);
        return null;

        static string Pem(string base64) => Encoding.UTF8.GetString(Convert.FromBase64String(base64));
    }

    private static Uri Normalize(string host)
    {
        if (!Uri.TryCreate(host.TrimEnd('/') + "/", UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            throw new KubernetesConnectionException($"'{host}' is not an http or https address");
        return uri;
    }
}

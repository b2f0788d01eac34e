using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s;
using k8s.Authentication;
using k8s.KubeConfigModels;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>A kubeconfig's current context, and the files that it names.</summary>
internal sealed class KubeconfigSource(string path) : TransportSource
{
    /// <summary>The server of the current context.</summary>
    /// <exception cref="KubernetesConnectionException">The file is missing or says nothing usable.</exception>
    public string Server() => Usable(() => Endpoint(Load()).Server ?? "");

    public override TransportSettings Read() => Usable(() =>
    {
        var file = Load();
        var config = KubernetesClientConfiguration.BuildConfigFromConfigObject(file);
        var trust = config.SkipTlsVerify ? ServerTrust.Anything : ServerTrust.Of(Roots(file));
        return new TransportSettings(
            trust, config.TlsServerName, ClientCertificate(config), CredentialsOf(config, User(file)?.ExternalExecution));
    });

    protected override IEnumerable<string> Files() => Usable(() =>
    {
        var file = Load();
        var user = User(file);
        string?[] named = [Endpoint(file).CertificateAuthority, user?.ClientCertificate, user?.ClientKey];
        return (List<string>)[path, .. named.Where(n => !string.IsNullOrEmpty(n)).Select(n => Full(n!))];
    });

    private K8SConfiguration Load() => File.Exists(path)
        ? KubernetesClientConfiguration.LoadKubeConfig(path)
        : throw new KubernetesConnectionException($"kubeconfig {path} does not exist");

    /// <summary>
    /// The library's parser throws whatever the file provokes (YAML, base64, certificate, null reference): all of it is the file's fault.
    /// </summary>
    private TResult Usable<TResult>(Func<TResult> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (OutOfMemoryException or KubernetesConnectionException))
        {
            throw new KubernetesConnectionException($"kubeconfig {path} cannot be used: {e.Message}", e);
        }
    }

    private static ContextDetails Context(K8SConfiguration file) =>
        file.Contexts?.FirstOrDefault(c => Same(c.Name, file.CurrentContext))?.ContextDetails
        ?? throw new FormatException($"the current context '{file.CurrentContext}' is not among its contexts");

    private static ClusterEndpoint Endpoint(K8SConfiguration file) =>
        file.Clusters?.FirstOrDefault(c => Same(c.Name, Context(file).Cluster))?.ClusterEndpoint
        ?? throw new FormatException($"the cluster '{Context(file).Cluster}' of the current context is not among its clusters");

    private static UserCredentials? User(K8SConfiguration file) =>
        file.Users?.FirstOrDefault(u => Same(u.Name, Context(file).User))?.UserCredentials;

    private static bool Same(string? a, string? b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);

    /// <summary>What a kubeconfig names is relative to where it lies.</summary>
    private string Full(string named) => Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, named);

    /// <summary>All certificates of the bundle: while a CA is rotated there are two.</summary>
    private X509Certificate2Collection? Roots(K8SConfiguration file)
    {
        var endpoint = Endpoint(file);
        var bytes = !string.IsNullOrEmpty(endpoint.CertificateAuthorityData) ? Convert.FromBase64String(endpoint.CertificateAuthorityData)
            : !string.IsNullOrEmpty(endpoint.CertificateAuthority) ? File.ReadAllBytes(Full(endpoint.CertificateAuthority))
            : null;
        if (bytes is null)
            return null;
        var roots = new X509Certificate2Collection();
        roots.ImportFromPem(Encoding.ASCII.GetString(bytes));
        if (roots.Count == 0)
            roots.Add(X509CertificateLoader.LoadCertificate(bytes));
        return roots;
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

    private static Credentials CredentialsOf(KubernetesClientConfiguration config, ExternalExecution? plugin)
    {
        if (config.TokenProvider is not null && plugin is not null)
            return new PluginCredentials(() => new ExecTokenProvider(plugin));
        if (!string.IsNullOrEmpty(config.AccessToken))
            return new FixedCredentials(new AuthenticationHeaderValue("Bearer", config.AccessToken));
        if (!string.IsNullOrEmpty(config.Username))
        {
            var pair = Encoding.UTF8.GetBytes($"{config.Username}:{config.Password}");
            return new FixedCredentials(new AuthenticationHeaderValue("Basic", Convert.ToBase64String(pair)));
        }

        return new FixedCredentials(null);
    }
}

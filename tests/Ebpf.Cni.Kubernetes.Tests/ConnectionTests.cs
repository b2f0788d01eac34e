using System.Security.Cryptography.X509Certificates;
using Ebpf.Cni.Kubernetes.Connection;
using Ebpf.Cni.Kubernetes.Tests.FakeApi;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

public sealed class ConnectionTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("ebpf-cni-k8s-test-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData(null, "does not exist")]
    [InlineData("", "cannot be used")]
    [InlineData("a: [b", "cannot be used")]
    [InlineData("apiVersion: v1\nkind: Config\ncurrent-context: nope\ncontexts: []\nclusters: []\nusers: []\n", "nope")]
    public void A_bad_kubeconfig_is_named(string? content, string expected)
    {
        var path = Path.Combine(_directory.FullName, "config");
        if (content is not null)
            File.WriteAllText(path, content);
        var e = Assert.Throws<KubernetesConnectionException>(() => KubernetesConnection.FromKubeconfig(path));
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kubeconfig_with_a_token_or_without_a_user_over_http()
    {
        await using var api = await FakeApiServer.StartAsync();
        using var anonymous = KubernetesConnection.FromKubeconfig(Kubeconfig(api.Address.AbsoluteUri, "", null));
        using var token = KubernetesConnection.FromKubeconfig(Kubeconfig(api.Address.AbsoluteUri, "", "token: s3cret"));
        await anonymous.Http.GetStringAsync("api/v1/nodes?limit=1");
        await token.Http.GetStringAsync("api/v1/nodes?limit=1");
        Assert.Equal([null, "Bearer s3cret"], api.Requests.Select(r => r.Authorization));
    }

    [Fact]
    public async Task Tls_trusts_the_given_ca_only_and_carries_the_client_certificate()
    {
        using var ca = Certificates.Ca("ca");
        using var server = Certificates.Leaf(ca, "localhost");
        using var client = Certificates.Leaf(ca, "system:node:a");
        string? subject = null;
        await using var api = await FakeApiServer.StartAsync(l => l.UseHttps(o =>
        {
            o.ServerCertificate = server;
            o.ClientCertificateMode = Microsoft.AspNetCore.Server.Kestrel.Https.ClientCertificateMode.AllowCertificate;
            o.ClientCertificateValidation = (certificate, _, _) =>
            {
                subject = certificate.Subject;
                return true;
            };
        }));
        var address = $"https://localhost:{api.Address.Port}";
        using var good = KubernetesConnection.FromKubeconfig(Kubeconfig(address, $"certificate-authority-data: {Base64(ca.ExportCertificatePem())}", $$"""
            client-certificate-data: {{Base64(client.ExportCertificatePem())}}
                client-key-data: {{Base64(client.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem())}}
            """));
        using var response = await good.Http.GetAsync(new Uri("api/v1/nodes?limit=1", UriKind.Relative));
        Assert.Equal(2, response.Version.Major); // HTTP/2: one connection for all watches
        Assert.Equal("CN=system:node:a", subject);

        using var otherCa = Certificates.Ca("other");
        using var wrong = KubernetesConnection.FromKubeconfig(
            Kubeconfig(address, $"certificate-authority-data: {Base64(otherCa.ExportCertificatePem())}", null));
        await Assert.ThrowsAsync<HttpRequestException>(() => wrong.Http.GetStringAsync("api/v1/nodes"));
        using var skip = KubernetesConnection.FromKubeconfig(Kubeconfig(address, "insecure-skip-tls-verify: true", null));
        await skip.Http.GetStringAsync("api/v1/nodes?limit=1");
    }

    [Fact]
    public async Task In_a_pod_the_token_is_read_again_each_minute_and_after_a_401()
    {
        using var ca = Certificates.Ca("ca");
        using var server = Certificates.Leaf(ca, "localhost");
        await using var api = await FakeApiServer.StartAsync(l => l.UseHttps(server));
        var time = new FakeTimeProvider();
        var token = Path.Combine(_directory.FullName, "token");
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "ca.crt"), ca.ExportCertificatePem());
        await File.WriteAllTextAsync(token, "one\n");
        using var connection = KubernetesConnection.InCluster("localhost", api.Address.Port.ToString(), _directory.FullName, time);

        async Task<string?> Presented()
        {
            using var _ = await connection.Http.GetAsync(new Uri("api/v1/nodes?limit=1", UriKind.Relative));
            return api.Requests.Last().Authorization;
        }

        Assert.Equal("Bearer one", await Presented());
        await File.WriteAllTextAsync(token, "two");
        Assert.Equal("Bearer one", await Presented());
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal("Bearer two", await Presented());
        await File.WriteAllTextAsync(token, "three");
        api.Script = r => r.Authorization == "Bearer three" ? null : new Fault.Refuse(401);
        Assert.Equal("Bearer three", await Presented()); // at once: refused with two, the file was read again
        Assert.Equal("Bearer two", api.Requests.ElementAt(api.Requests.Count - 2).Authorization);
        api.Script = _ => new Fault.Refuse(401);
        Assert.Equal("Bearer three", await Presented());
        Assert.Equal(6, api.Requests.Count); // nothing newer: refused is refused
        File.Delete(token); // being replaced: the last one serves
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal("Bearer three", await Presented());
    }

    [Fact]
    public void In_a_pod_missing_files_are_named()
    {
        var e = Assert.Throws<KubernetesConnectionException>(
            () => KubernetesConnection.InCluster("10.96.0.1", "443", _directory.FullName, TimeProvider.System));
        Assert.Contains("ca.crt", e.Message, StringComparison.Ordinal);
        using var ca = Certificates.Ca("ca");
        File.WriteAllText(Path.Combine(_directory.FullName, "ca.crt"), ca.ExportCertificatePem());
        e = Assert.Throws<KubernetesConnectionException>(
            () => KubernetesConnection.InCluster("10.96.0.1", "443", _directory.FullName, TimeProvider.System));
        Assert.Contains("token", e.Message, StringComparison.Ordinal);
    }

    private string Kubeconfig(string server, string clusterExtra, string? user, string? file = null)
    {
        var path = Path.Combine(_directory.FullName, file ?? Guid.NewGuid().ToString("n"));
        File.WriteAllText(path, $$"""
            apiVersion: v1
            kind: Config
            current-context: c
            contexts:
            - name: c
              context:
                cluster: k
                {{(user is null ? "" : "user: u")}}
            clusters:
            - name: k
              cluster:
                server: {{server}}
                {{clusterExtra}}
            {{(user is null ? "users: []" : $"users:\n- name: u\n  user:\n    {user}")}}
            """);
        return path;
    }

    private static string Base64(string text) => Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(text));
}

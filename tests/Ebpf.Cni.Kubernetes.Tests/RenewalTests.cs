using System.Security.Cryptography.X509Certificates;
using Ebpf.Cni.Kubernetes.Tests.FakeApi;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>Certificates, CAs and credentials that are replaced on disk are used without a restart, over either HTTP version.</summary>
public sealed class RenewalTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("ebpf-cni-renewal-test-");
    private readonly FakeTimeProvider _time = new();
    private readonly X509Certificate2 _caA = Certificates.Ca("a");
    private readonly X509Certificate2 _caB = Certificates.Ca("b");
    private readonly X509Certificate2 _serverA;
    private readonly X509Certificate2 _serverB;

    /// <summary>What the server shows, whose clients it takes, and who was let in.</summary>
    private volatile X509Certificate2 _shown;
    private volatile string _takes = "CN=a";
    private volatile string _client = "";

    public RenewalTests()
    {
        _serverA = Certificates.Leaf(_caA, "localhost");
        _serverB = Certificates.Leaf(_caB, "localhost");
        _shown = _serverA;
    }

    public void Dispose()
    {
        foreach (var certificate in (X509Certificate2[])[_caA, _caB, _serverA, _serverB])
            certificate.Dispose();
        _directory.Delete(recursive: true);
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task A_new_ca_of_the_cluster(HttpProtocols protocol)
    {
        await using var api = await ServerAsync(protocol);
        Write("ca.crt", _caA.ExportCertificatePem());
        Write("token", "one");
        using var connection = KubernetesConnection.InCluster("localhost", $"{api.Address.Port}", _directory.FullName, _time);
        await GetAsync(connection);

        // The file first, as the kubelet does it; the connection that stands goes on, and the next one is made with what is there now.
        Write("ca.crt", _caB.ExportCertificatePem());
        _shown = _serverB;
        await GetAsync(connection);
        HangUpOnce(api);
        await GetAsync(connection);
    }

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task A_renewed_client_certificate(HttpProtocols protocol)
    {
        await using var api = await ServerAsync(protocol);
        using var connection = KubernetesConnection.FromKubeconfig(Kubeconfig(api), _time);
        WriteClient(_caA);
        await GetAsync(connection);
        Assert.Equal("CN=first", _client);

        // Replaced before the old one expires: after a minute at the latest, although the connection stands.
        WriteClient(_caA, "second");
        _time.Advance(TimeSpan.FromSeconds(61));
        await GetAsync(connection);
        Assert.Equal("CN=second", _client);

        // Replaced, and the old one is refused from now on: with the first request that fails.
        WriteClient(_caB, "third");
        _takes = "CN=b";
        HangUpOnce(api);
        await GetAsync(connection);
        Assert.Equal("CN=third", _client);
    }

    [Fact]
    public async Task A_certificate_whose_key_is_not_there_yet_changes_nothing()
    {
        await using var api = await ServerAsync(HttpProtocols.Http2);
        using var connection = KubernetesConnection.FromKubeconfig(Kubeconfig(api), _time);
        using var next = Certificates.Leaf(_caA, "next");
        Write("client.crt", next.ExportCertificatePem());
        _time.Advance(TimeSpan.FromSeconds(61));
        await GetAsync(connection);
        Assert.Equal("CN=first", _client);

        Write("client.key", next.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        _time.Advance(TimeSpan.FromSeconds(61));
        await GetAsync(connection);
        Assert.Equal("CN=next", _client);
    }

    [Fact]
    public async Task A_kubeconfig_with_a_new_token_is_read_after_a_401_and_the_request_is_sent_again()
    {
        await using var api = await FakeApiServer.StartAsync();
        var path = Path.Combine(_directory.FullName, "config");
        Write("config", Text(api.Address.AbsoluteUri, "", "token: one"));
        using var connection = KubernetesConnection.FromKubeconfig(path, _time);
        await GetAsync(connection);
        api.Script = r => r.Authorization == "Bearer two" ? null : new Fault.Refuse(401);
        Write("config", Text(api.Address.AbsoluteUri, "", "token: two"));
        await GetAsync(connection);
        Assert.Equal(["Bearer one", "Bearer one", "Bearer two"], api.Requests.Select(r => r.Authorization));
    }

    [Fact]
    public async Task A_plugins_token_that_is_refused_before_it_expires_is_asked_for_again()
    {
        await using var api = await FakeApiServer.StartAsync();
        Write("said", "one");
        Write("plugin", $$$"""
            #!/bin/sh
            echo "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"$(cat {{{_directory.FullName}}}/said)\"}}"
            """);
        var plugin = Path.Combine(_directory.FullName, "plugin");
        File.SetUnixFileMode(plugin, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Write("config", Text(
            api.Address.AbsoluteUri,
            "",
            "exec:\n      apiVersion: client.authentication.k8s.io/v1\n"
            + $"      interactiveMode: Never\n      command: {plugin}"));
        using var connection = KubernetesConnection.FromKubeconfig(Path.Combine(_directory.FullName, "config"), _time);
        await GetAsync(connection);
        api.Script = r => r.Authorization == "Bearer two" ? null : new Fault.Refuse(401);
        Write("said", "two");
        await GetAsync(connection);
        Assert.Equal(["Bearer one", "Bearer one", "Bearer two"], api.Requests.Select(r => r.Authorization));
    }

    [Fact]
    public async Task A_watch_on_the_old_connections_goes_on()
    {
        await using var api = await ServerAsync(HttpProtocols.Http2);
        using var connection = KubernetesConnection.FromKubeconfig(Kubeconfig(api), _time);
        using var watch = await connection.Http.GetAsync(
            new Uri("api/v1/nodes?watch=1&resourceVersion=100", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await watch.Content.ReadAsStreamAsync());
        WriteClient(_caA, "second");
        _time.Advance(TimeSpan.FromSeconds(61));
        await GetAsync(connection);
        Assert.Equal("CN=second", _client);
        api.Cluster.Put(Objects.Nodes, "node-1", Objects.Node("node-1", 1));
        Assert.Contains("node-1", await reader.ReadLineAsync(), StringComparison.Ordinal);

        _time.Advance(TimeSpan.FromMinutes(3)); // the old connections have been let go of
        api.Cluster.Put(Objects.Nodes, "node-2", Objects.Node("node-2", 2));
        Assert.Contains("node-2", await reader.ReadLineAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_ca_of_a_kubeconfigs_bundle_is_trusted()
    {
        await using var api = await ServerAsync(HttpProtocols.Http2);
        _shown = _serverB;
        using var connection = KubernetesConnection.FromKubeconfig(
            Kubeconfig(api, _caA.ExportCertificatePem() + "\n" + _caB.ExportCertificatePem()), _time);
        await GetAsync(connection);
    }

    private Task<FakeApiServer> ServerAsync(HttpProtocols protocol) => FakeApiServer.StartAsync(listen =>
    {
        listen.Protocols = protocol;
        listen.UseHttps(o =>
        {
            o.ServerCertificateSelector = (_, _) => _shown;
            o.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            o.ClientCertificateValidation = (certificate, _, _) =>
            {
                var taken = certificate.Issuer == _takes;
                if (taken)
                    _client = certificate.Subject;
                return taken;
            };
        });
    });

    private static async Task GetAsync(KubernetesConnection connection)
    {
        using var response = await connection.Http.GetAsync(new Uri("api/v1/nodes?limit=1", UriKind.Relative));
        response.EnsureSuccessStatusCode();
    }

    /// <summary>The next request finds its connection closed under it.</summary>
    private static void HangUpOnce(FakeApiServer api)
    {
        var done = 0;
        api.Script = _ => Interlocked.Exchange(ref done, 1) == 0 ? new Fault.HangUp() : null;
    }

    private string Kubeconfig(FakeApiServer api, string? ca = null)
    {
        Write("ca.pem", ca ?? _caA.ExportCertificatePem());
        WriteClient(_caA);
        Write("config", Text(
            $"https://localhost:{api.Address.Port}",
            "certificate-authority: ca.pem",
            "client-certificate: client.crt\n    client-key: client.key"));
        return Path.Combine(_directory.FullName, "config");
    }

    private void WriteClient(X509Certificate2 ca, string name = "first")
    {
        using var client = Certificates.Leaf(ca, name);
        Write("client.crt", client.ExportCertificatePem());
        Write("client.key", client.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
    }

    private void Write(string name, string content) => File.WriteAllText(Path.Combine(_directory.FullName, name), content);

    private static string Text(string server, string cluster, string user) => $$"""
        apiVersion: v1
        kind: Config
        current-context: c
        contexts:
        - name: c
          context:
            cluster: k
            user: u
        clusters:
        - name: k
          cluster:
            server: {{server}}
            {{cluster}}
        users:
        - name: u
          user:
            {{user}}
        """;
}

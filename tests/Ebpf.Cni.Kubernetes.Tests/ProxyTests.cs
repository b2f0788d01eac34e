using System.Net;
using Ebpf.Cni.Kubernetes.Connection;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>The environment's proxies, as golang.org/x/net/http/httpproxy reads them.</summary>
public class ProxyTests
{
    [Theory]
    [InlineData(null, "api.example", false)]
    [InlineData("", "api.example", false)]
    [InlineData("*", "api.example", true)]
    [InlineData("x, *", "10.0.0.1", true)]
    // names
    [InlineData("example", "example", true)]
    [InlineData("example", "api.example", true)]
    [InlineData("EXAMPLE", "api.Example", true)]
    [InlineData("example", "notexample", false)]
    [InlineData(".example", "api.example", true)]
    [InlineData(".example", "example", false)]
    [InlineData("*.example", "api.example", true)]
    [InlineData("*.example", "example", false)]
    [InlineData(" a , b.c ,", "x.b.c", true)]
    [InlineData("api.example:6443", "api.example", true)]
    [InlineData("api.example:443", "api.example", false)]
    [InlineData(".example:6443", "api.example", true)]
    [InlineData(":6443", "api.example", false)]
    // addresses
    [InlineData("10.0.0.1", "10.0.0.1", true)]
    [InlineData("10.0.0.1", "10.0.0.10", false)]
    [InlineData("10.0.0.1:6443", "10.0.0.1", true)]
    [InlineData("10.0.0.1:443", "10.0.0.1", false)]
    [InlineData("fd00::1", "fd00:0::1", true)]
    [InlineData("[fd00::1]:6443", "fd00::1", true)]
    [InlineData("[fd00::1]:443", "fd00::1", false)]
    [InlineData("[fd00::1]", "fd00::1", true)]
    // ranges
    [InlineData("172.30.0.0/16,10.96.0.0/12", "172.30.0.11", true)]
    [InlineData("172.30.0.0/16,10.96.0.0/12", "10.111.255.255", true)]
    [InlineData("172.30.0.0/16,10.96.0.0/12", "10.112.0.1", false)]
    [InlineData("172.30.1.2/16", "172.30.9.9", true)]
    [InlineData("0.0.0.0/0", "192.0.2.1", true)]
    [InlineData("0.0.0.0/0", "api.example", false)]
    [InlineData("10.0.0.0/33", "10.0.0.1", false)]
    [InlineData("fd00:10:96::/112", "fd00:10:96::1", true)]
    [InlineData("fd00:10:96::/112", "fd00:10:97::1", false)]
    // never by a proxy
    [InlineData(null, "localhost", true)]
    [InlineData(null, "127.0.0.1", true)]
    [InlineData(null, "127.9.9.9", true)]
    [InlineData(null, "::1", true)]
    public void No_proxy(string? list, string host, bool expected) => Assert.Equal(expected, new NoProxy(list).Covers(host, 6443));

    [Theory]
    [InlineData("https://api.example:6443", "HTTPS_PROXY=http://proxy.example:3128", "http://proxy.example:3128/")]
    [InlineData("https://api.example:6443", "https_proxy=proxy.example:3128", "http://proxy.example:3128/")]
    [InlineData("https://api.example:6443", "HTTPS_PROXY=http://a:1;https_proxy=http://b:2", "http://a:1/")]
    [InlineData("https://api.example:6443", "HTTP_PROXY=http://proxy.example:3128", null)]
    [InlineData("http://api.example:8080", "http_proxy=http://proxy.example:3128", "http://proxy.example:3128/")]
    [InlineData("https://api.example:6443", "HTTPS_PROXY=socks5h://proxy.example", "socks5://proxy.example:1080/")]
    [InlineData("https://api.example:6443", "HTTPS_PROXY=", null)]
    [InlineData("https://172.30.0.11:6443", "HTTPS_PROXY=http://p:1;NO_PROXY=172.30.0.0/16,10.96.0.0/12", null)]
    [InlineData("https://172.31.0.11:6443", "HTTPS_PROXY=http://p:1;no_proxy=172.30.0.0/16", "http://p:1/")]
    [InlineData("https://[fd00::11]:6443", "HTTPS_PROXY=http://p:1;NO_PROXY=fd00::/8", null)]
    [InlineData("https://10.96.0.1:443", "HTTPS_PROXY=http://p:1;KUBERNETES_SERVICE_HOST=10.96.0.1;KUBERNETES_SERVICE_PORT=443", null)]
    public void The_environments_proxy(string server, string environment, string? expected)
    {
        var proxy = ProxyEnvironment.For(new Uri(server), Variables(environment));
        Assert.Equal(expected, proxy?.GetProxy(new Uri(server))?.AbsoluteUri);
    }

    [Fact]
    public void A_proxys_user_is_told_to_it()
    {
        var proxy = ProxyEnvironment.For(new Uri("https://api.example"), Variables("HTTPS_PROXY=http://me:p%40ss@proxy.example:3128"))!;
        var shown = proxy.Credentials!.GetCredential(new Uri("http://proxy.example:3128"), "Basic")!;
        Assert.Equal(("me", "p@ss"), (shown.UserName, shown.Password));
    }

    [Theory]
    [InlineData("HTTPS_PROXY=ftp://proxy.example")]
    [InlineData("HTTPS_PROXY=http://")]
    public void A_proxy_that_makes_no_sense_is_named(string environment)
    {
        var e = Assert.Throws<KubernetesConnectionException>(
            () => ProxyEnvironment.For(new Uri("https://api.example"), Variables(environment)));
        Assert.Contains("HTTPS_PROXY", e.Message, StringComparison.Ordinal);
    }

    /// <summary>.NET would read the environment by itself, its own way.</summary>
    [Fact]
    public void Without_a_proxy_the_transport_looks_for_none()
    {
        var settings = new TransportSettings(ServerTrust.Of(null), null, null, new FixedCredentials(null));
        using var direct = ApiTransport.Create(settings, null);
        Assert.False(direct.UseProxy);
        var proxy = new WebProxy("http://p:1");
        using var proxied = ApiTransport.Create(settings, proxy);
        Assert.Same(proxy, proxied.Proxy);
    }

    private static Func<string, string?> Variables(string text)
    {
        var variables = text.Split(';').Select(p => p.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);
        return variables.GetValueOrDefault;
    }
}

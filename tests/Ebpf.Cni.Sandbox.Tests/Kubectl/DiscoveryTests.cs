namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

public sealed class DiscoveryTests : KubectlTest
{
    [Fact]
    public async Task What_is_served_is_listed()
    {
        var listed = await Kubectl("api-resources");
        var lines = listed.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))).ToList();
        Assert.Contains("deployments deploy apps/v1 true Deployment", lines);
        Assert.Contains("nodes no v1 false Node", lines);
        Assert.Contains("endpointslices discovery.k8s.io/v1 true EndpointSlice", lines);
        Assert.Contains("rbac.authorization.k8s.io/v1", await Kubectl("api-versions"), StringComparison.Ordinal);
        Assert.Contains("v1.32.0", await Kubectl("version"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pods", "KIND:       Pod", "Containers that share a network namespace", "spec\t<PodSpec>")]
    [InlineData("service.spec.ports", "KIND:       Service", "FIELD: ports <[]ServicePort>", "nodePort\t<integer>")]
    [InlineData("deploy.spec.strategy.rollingUpdate.maxSurge", "GROUP:      apps", "FIELD: maxSurge <", "How many there may be too many")]
    [InlineData("pod.spec.containers.readinessProbe", "A check of a container", "httpGet\t<HTTPGetAction>")]
    [InlineData("configmap.data", "FIELD: data <map[string]string>", "Key to text")]
    public async Task Fields_are_explained(string path, params string[] expected)
    {
        var text = await Kubectl("explain", path);
        Assert.All(expected, part => Assert.Contains(part, text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_kind_has_its_fields()
    {
        foreach (var type in Store.ResourceTypes.All)
        {
            var root = type.Group.Length == 0 ? "/openapi/v3/api/" : "/openapi/v3/apis/";
            var (_, document) = await GetAsync(root + type.ApiVersion);
            var schemas = ((System.Text.Json.Nodes.JsonObject)document!["components"]!["schemas"]!).Select(s => s.Value);
            Assert.Contains(schemas, s => s!["x-kubernetes-group-version-kind"]?[0]?["kind"]?.ToString() == type.Kind);
        }
    }
}

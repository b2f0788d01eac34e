using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

public sealed class ListTests : ApiTest
{
    [Fact]
    public async Task Pages_show_one_version_whatever_is_written_in_between()
    {
        MakeConfigMaps(5);
        var (_, first) = await GetAsync(ConfigMaps + "?limit=2");
        Assert.Equal(3, first.Number("metadata", "remainingItemCount"));
        Make("later");
        Server.Resources.Delete(ResourceTypes.ConfigMaps, "default", "m004");

        var names = first.Items("items").Select(i => i.Name()).ToList();
        var page = first;
        while (page.Text("metadata", "continue") is { } token)
        {
            (_, page) = await GetAsync($"{ConfigMaps}?limit=2&continue={token}");
            Assert.Equal(first.Text("metadata", "resourceVersion"), page.Text("metadata", "resourceVersion"));
            names.AddRange(page.Items("items").Select(i => i.Name()));
        }

        Assert.Equal(["m000", "m001", "m002", "m003", "m004"], names);
    }

    [Fact]
    public async Task An_expired_continue_token_is_answered_410()
    {
        MakeConfigMaps(3);
        var (_, first) = await GetAsync(ConfigMaps + "?limit=1");
        Server.Misbehaviour.ExpireContinueTokens();
        var (code, status) = await GetAsync($"{ConfigMaps}?limit=1&continue={first.Text("metadata", "continue")}");
        Assert.Equal(410, code);
        Assert.Equal("Expired", status.Text("reason"));
    }

    [Theory]
    [InlineData("?continue=nonsense", 400)]
    [InlineData("?continue=1.-7", 400)]
    [InlineData("?labelSelector=a%20b", 400)]
    [InlineData("?fieldSelector=x", 400)]
    [InlineData("?resourceVersion=999999", 504)]
    [InlineData("?resourceVersion=1&resourceVersionMatch=Exact", 410)]
    [InlineData("?resourceVersion=0", 200)]
    public async Task A_list_that_cannot_be_given_is_refused_with_the_right_status(string query, int expected)
    {
        MakeConfigMaps(1);
        Assert.Equal(expected, (await GetAsync(ConfigMaps + query)).Code);
    }

    [Fact]
    public async Task Selectors_narrow_a_list()
    {
        Make("a", "1");
        Make("b", "2");
        Make("c", "3");
        async Task<string> Names(string query) =>
            string.Join(',', (await GetAsync(ConfigMaps + query)).Json.Items("items").Select(i => i.Name()));
        Assert.Equal("a,b", await Names("?labelSelector=v%20in%20(1,2)"));
        Assert.Equal("c", await Names("?labelSelector=v%20notin%20(1,2)"));
        Assert.Equal("b,c", await Names("?labelSelector=v,v!=1"));
        Assert.Equal("", await Names("?labelSelector=!v"));
        Assert.Equal("b", await Names("?fieldSelector=metadata.name=b"));
        Assert.Equal("a,c", await Names("?fieldSelector=metadata.name!=b"));
    }

    [Fact]
    public async Task A_table_has_a_cell_for_each_column()
    {
        MakeConfigMaps(2);
        var (_, table) = await GetAsync(ConfigMaps, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
        Assert.Equal("Table", table.Text("kind"));
        Assert.Equal(["Name", "Data", "Age"], table.Items("columnDefinitions").Select(c => c.Text("name")));
        Assert.All(table.Items("rows"), row => Assert.Equal(3, row["cells"]!.AsArray().Count));
        Assert.Equal("m000", table.Items("rows").First().Text("object", "metadata", "name"));
    }

    [Fact]
    public async Task Every_kind_has_a_table_that_stands_any_object()
    {
        foreach (var type in ResourceTypes.All)
        {
            Server.Store.Create(type,
                new() { ["metadata"] = new System.Text.Json.Nodes.JsonObject
                { ["name"] = "odd", ["namespace"] = type.Namespaced ? "default" : null }, ["spec"] = 7, ["status"] = "x" });
            var root = type.Group.Length == 0 ? "/api/v1/" : $"/apis/{type.ApiVersion}/";
            var (code, table) = await GetAsync(root + type.Plural, "application/json;as=Table;v=v1;g=meta.k8s.io");
            Assert.Equal(200, code);
            Assert.Contains(table.Items("rows"), r => r.Text("object", "metadata", "name") == "odd");
        }
    }
}

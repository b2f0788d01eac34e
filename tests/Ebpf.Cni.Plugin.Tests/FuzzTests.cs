using System.Globalization;
using System.Text;
using System.Text.Json;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>
/// Whatever a runtime or an agent says: one JSON document and an exit code, no exception, and no file but queued DELs. 120,000 inputs.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper log)
{
    private static readonly string[] Commands = ["ADD", "DEL", "CHECK", "STATUS", "GC", "VERSION", "", "add", "ADD\0"];

    private static readonly string[] Texts =
        ["", "c1", "../../etc", "/", "a/b", ".", "..", "eth0", "/run/netns/x", "é", "\ud800", "\0", "a\nb", new string('x', 300),
            new string('/', 5000), "K8S_POD_NAME=a;b", ";=;", "%s%n"];

    private static readonly string[] Values =
        ["null", "true", "7", "-1", "1e999", "\"\"", "\"1.1.0\"", "\"\\ud800\"", "\"\\u0000\"", "[]", "{}", "[[]]", "{\"a\":{}}", "\"/x\"",
            "\"x\"", "99999999999999999999"];

    private readonly HashSet<int> _codes = [];

    [Fact]
    public void Any_environment_with_any_configuration_gives_one_document()
    {
        const int inputs = 70_000;
        var random = new Random(Seed.Next());
        using var directory = new FuzzDirectory();
        for (var i = 0; i < inputs; i++)
            Check(Environment(random), Configuration(random, directory.Socket), directory);
        log.WriteLine($"{inputs} inputs; exit codes and error codes seen: {string.Join(", ", _codes.Order())}");
        // The detector's own control: every way out was taken.
        foreach (var code in new[] { -1, CniErrorCode.IncompatibleVersion, CniErrorCode.InvalidEnvironment, CniErrorCode.DecodingFailure,
            CniErrorCode.InvalidNetworkConfig, CniErrorCode.TryAgainLater, CniErrorCode.PluginNotAvailable })
            Assert.Contains(code, _codes);
    }

    [Fact]
    public void Any_answer_is_a_result_or_an_error()
    {
        const int inputs = 50_000;
        var random = new Random(Seed.Next());
        var good = Encoding.UTF8.GetBytes("""{"note":[1,{"a":null}],"result":{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.5/32"}]}}""");
        var error = Encoding.UTF8.GetBytes("""{"error":{"code":102,"msg":"no free address","details":"10.0.0.0/24","more":[]}}""");
        var (results, errors) = (0, 0);
        for (var i = 0; i < inputs; i++)
        {
            var bytes = random.Next(20) == 0 ? Encoding.UTF8.GetBytes(Structure(random, 0)) : Damage(
                random, random.Next(2) == 0 ? good : error);
            try
            {
                JsonDocument.Parse(AgentAnswer.Result(bytes)).Dispose();
                results++;
            }
            catch (CniException e)
            {
                Assert.NotEqual(0, e.Code);
                Assert.NotNull(e.Message);
                errors++;
            }
        }

        log.WriteLine($"{inputs} answers: {results} results, {errors} errors");
        Assert.True(results > 1000 && errors > 1000, $"{results} results, {errors} errors");
    }

    private void Check(Dictionary<string, string> environment, byte[] input, FuzzDirectory directory)
    {
        using var output = new MemoryStream();
        string? Variable(string name) => environment.GetValueOrDefault(name);
        var exitCode = PluginRun.Execute(Variable, new MemoryStream(input), output, directory.Socket);
        using var document = JsonDocument.Parse(output.ToArray());
        Assert.Equal(JsonValueKind.Object, document.RootElement.ValueKind);
        if (exitCode == 0)
        {
            _codes.Add(-1);
        }
        else
        {
            var code = document.RootElement.GetProperty("code").GetInt32();
            Assert.NotEmpty(document.RootElement.GetProperty("msg").GetString()!);
            Assert.Contains(document.RootElement.GetProperty("cniVersion").GetString(), CniVersion.Supported);
            Assert.NotEqual(CniErrorCode.Internal, code);
            _codes.Add(code);
        }

        directory.CheckOnlyQueued(environment);
    }

    private static Dictionary<string, string> Environment(Random random)
    {
        var environment = PluginProcess.Environment(Commands[random.Next(random.Next(3) == 0 ? Commands.Length : 5)]);
        for (var n = random.Next(3); n > 0; n--)
        {
            var name = environment.Keys.ElementAt(random.Next(environment.Count));
            if (random.Next(4) == 0)
                environment.Remove(name);
            else
                environment[name] = Texts[random.Next(Texts.Length)];
        }

        return environment;
    }

    private static byte[] Configuration(Random random, string socket)
    {
        var version = random.Next(5) == 0
            ? Values[random.Next(Values.Length)]
            : $"\"{CniVersion.Supported[random.Next(CniVersion.Supported.Count)]}\"";
        var name = random.Next(8) == 0 ? Values[random.Next(Values.Length)] : "\"k8s\"";
        var agent = random.Next(8) == 0 ? Values[random.Next(Values.Length)] : JsonSerializer.Serialize(socket);
        var text = $"{{\"cniVersion\":{version},\"name\":{name},\"type\":\"ebpf-cni\",\"agentSocket\":{agent},"
            + $"\"prevResult\":{Structure(random, 0)},\"runtimeConfig\":{Structure(random, 0)}}}";
        var bytes = Encoding.UTF8.GetBytes(text);
        return random.Next(3) == 0 ? Damage(random, bytes) : bytes;
    }

    private static string Field(Random random, int number, int depth) =>
        string.Create(CultureInfo.InvariantCulture, $"\"k{number}\":{Structure(random, depth)}");

    private static string Structure(Random random, int depth) => random.Next(depth > 4 ? 1 : 3) switch
    {
        0 => Values[random.Next(Values.Length)],
        1 => $"[{string.Join(',', Enumerable.Range(0, random.Next(4)).Select(_ => Structure(random, depth + 1)))}]",
        _ => $"{{{string.Join(',', Enumerable.Range(0, random.Next(4)).Select(i => Field(random, i, depth + 1)))}}}",
    };

    private static byte[] Damage(Random random, byte[] good)
    {
        var bytes = good[..(random.Next(3) == 0 ? random.Next(good.Length + 1) : good.Length)];
        for (var n = random.Next(4); n > 0 && bytes.Length > 0; n--)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return bytes;
    }
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>
/// Asks a container whether it can serve: httpGet and tcpSocket from the node's namespace, as a kubelet does, exec inside
/// the pod.
/// </summary>
internal sealed class ReadinessProbe(
    KubeletContext node, JsonObject probe, JsonObject container, PodAddresses addresses, NetworkNamespace network, string cgroup)
{
    // a server that is just starting is ready soon: a whole period would be a wait for nothing
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(100);
    private readonly TimeSpan _period = Seconds(probe, "periodSeconds", 10);
    private readonly TimeSpan _timeout = Seconds(probe, "timeoutSeconds", 1);

    /// <summary>Until cancelled; reports only turns.</summary>
    public async Task RunAsync(Action<bool> onTurn, Func<string, Task> onFailure, CancellationToken ct)
    {
        var needed = probe.Number("successThreshold") ?? 1;
        var allowed = probe.Number("failureThreshold") ?? 3;
        var (successes, failures, ready) = (0, 0, false);
        try
        {
            await Task.Delay(Seconds(probe, "initialDelaySeconds", 0), node.Time, ct);
            var starting = _period;
            using var timer = new PeriodicTimer(Soon < _period ? Soon : _period, node.Time);
            do
            {
                var failure = await AskAsync(ct);
                (successes, failures) = failure is null ? (successes + 1, 0) : (0, failures + 1);
                if (!ready && successes >= needed)
                    onTurn(ready = true);
                else if (ready && failures >= allowed)
                    onTurn(ready = false);
                starting -= timer.Period;
                if (failure is null || starting <= TimeSpan.Zero)
                    timer.Period = _period;
                if (failure is not null && starting <= TimeSpan.Zero)
                    _ = onFailure($"Readiness probe failed: {failure}");
            }
            while (await timer.WaitForNextTickAsync(ct));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // the container ends
        }
    }

    /// <summary>One question. Null if the container is ready, else why it is not.</summary>
    private async Task<string?> AskAsync(CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        over.CancelAfter(_timeout);
        try
        {
            if (probe["httpGet"] is JsonObject get)
                return await GetAsync(get, over.Token);
            if (probe["tcpSocket"] is JsonObject tcp)
            {
                (await NamespaceSockets.ConnectAsync(node.Namespace, Target(tcp), over.Token)).Dispose();
                return null;
            }
            return await ExecAsync(over.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return $"no answer within {_timeout.TotalSeconds:0} s";
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or IOException or ContainerConfigurationException
            or FormatException)
        {
            return e.Message;
        }
    }

    private async Task<string?> GetAsync(JsonObject get, CancellationToken ct)
    {
        using var http = NamespaceSockets.CreateHttpClient(node.Namespace, _timeout);
        var path = get.Text("path") ?? "/";
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{Target(get)}/{path.TrimStart('/')}");
        foreach (var header in get.Items("httpHeaders"))
            request.Headers.TryAddWithoutValidation(header.Text("name") ?? "", header.Text("value"));
        using var response = await http.SendAsync(request, ct);
        var status = (int)response.StatusCode;
        return status is >= 200 and < 400 ? null : $"HTTP status {status}";
    }

    private async Task<string?> ExecAsync(CancellationToken ct)
    {
        var command = probe.Texts("exec", "command").ToList();
        if (command.Count == 0)
            throw new ContainerConfigurationException("the sandbox knows httpGet, tcpSocket and exec");
        var ran = await NodeProcess.RunAsync(new ProcessPlan(network, cgroup, command), ct: ct);
        return ran.ExitCode == 0 ? null : $"exit code {ran.ExitCode}: {ran.Errors.Trim()}";
    }

    private IPEndPoint Target(JsonObject action)
    {
        var host = action.Text("host") is { Length: > 0 } named ? IPAddress.Parse(named) : addresses.Pod[0];
        return new IPEndPoint(host, PortOf(action["port"]));
    }

    // a number, or the name of one of the container's ports
    private int PortOf(JsonNode? port)
    {
        if (port.Number() is { } number)
            return (int)number;
        var name = port.Text();
        var found = container.Items("ports").FirstOrDefault(candidate => candidate.Text("name") == name).Number("containerPort");
        return found is { } known ? (int)known
            : int.TryParse(name, CultureInfo.InvariantCulture, out var written) ? written
            : throw new ContainerConfigurationException($"the container has no port named '{name}'");
    }

    private static TimeSpan Seconds(JsonObject probe, string field, long usual) => TimeSpan.FromSeconds(probe.Number(field) ?? usual);
}

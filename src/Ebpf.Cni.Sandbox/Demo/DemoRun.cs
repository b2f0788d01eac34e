using System.Globalization;
using System.Net;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Demo;

/// <summary>The demo: a cluster, an example, 300 requests to its Service in each of three ways, who answered, where to look next.</summary>
internal sealed class DemoRun(SandboxOptions options, string manifest, bool keep)
{
    private const int Requests = 300;
    private const int FewestBackends = 3;
    private readonly DemoOutput _output = new();

    /// <summary>0: every request was answered, and by enough backends.</summary>
    public async Task<int> RunAsync(CancellationToken ct)
    {
        _ = DemoManifest.Read(await File.ReadAllTextAsync(manifest, ct)); // what is wrong with it is better known before the rest
        try
        {
            return keep ? await RunKeptAsync(ct) : await RunOnceAsync(ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            _output.Problem("interrupted; everything has been removed");
            return 130;
        }
    }

    private async Task<int> RunOnceAsync(CancellationToken ct)
    {
        bool good;
        await using (var cluster = await SandboxCluster.StartAsync(options with { Progress = _output.Step }, ct))
        {
            good = await ShowAsync(cluster, ct);
            _output.Line();
            _output.Step("removing everything");
        }
        _output.Step("done: nothing is left behind");
        return good ? 0 : 1;
    }

    private async Task<int> RunKeptAsync(CancellationToken ct)
    {
        _output.Step($"starting a sandbox '{options.Name}' in the background: {options.Nodes} nodes, each with its agent");
        using var sandbox = await DetachedSandbox.StartAsync(options, ct);
        try
        {
            var good = await ShowAsync(sandbox, ct);
            await FarewellAsync(sandbox, ct);
            return good ? 0 : 1;
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            await SandboxCluster.CleanUpAsync(options.Name);
            throw;
        }
    }

    private async Task<bool> ShowAsync(SandboxView sandbox, CancellationToken ct)
    {
        var known = DemoManifest.Read(await File.ReadAllTextAsync(manifest, ct));
        _output.Step("nodes ready: the agents have installed the CNI plugin");
        foreach (var stored in await sandbox.ApplyAsync(manifest, ct))
            _output.Step($"applied {stored.Text("kind")} {stored.Name()}");
        if (!await PodsAsync(sandbox, known, ct))
            return false;
        var service = await sandbox.Client.GetAsync(ResourceTypes.Services, "default", known.Service, ct);
        var good = true;
        foreach (var (kind, v6, title) in (IReadOnlyList<(string, bool, string)>)[("tcp", false, "HTTP over IPv4"),
            ("udp", false, "UDP over IPv4"), ("tcp", true, "HTTP over IPv6")])
            good &= await AskAsync(sandbox, known, kind, title, DemoManifest.Target(service, v6, kind.ToUpperInvariant()), ct);
        await TablesAsync(sandbox, ct);
        return good;
    }

    private async Task<bool> PodsAsync(SandboxView sandbox, DemoManifest known, CancellationToken ct)
    {
        try
        {
            var pods = await sandbox.WaitForPodsReady(known.Labels, known.Replicas, ct: ct);
            await sandbox.Client.WaitAsync(ResourceTypes.Pods, "default", null,
                all => all.Any(p => p.Name() == known.Client && p.Condition("Ready") == "True"), "the client ready", ct: ct);
            await sandbox.Client.WaitForEndpointsAsync(known.Service, known.Replicas, ct: ct);
            foreach (var pod in pods)
                _output.Step($"pod {pod.Name()} ready on {pod.Text("spec", "nodeName")}: {string.Join(", "
                    + "", pod.Items("status", "podIPs").Select(ip => ip.Text("ip")))}");
            return true;
        }
        catch (TimeoutException e)
        {
            _output.Problem(e.Message);
            foreach (var warning in (await sandbox.Client.ListAsync(ResourceTypes.Events, "default", ct: ct))
                .Where(w => w.Text("type") == "Warning").TakeLast(10))
                _output.Problem($"{warning.Text("involvedObject", "name")}: {warning.Text("reason")}: {warning.Text("message")}");
            return false;
        }
    }

    private async Task<bool> AskAsync(SandboxView sandbox, DemoManifest known, string kind, string title, IPEndPoint? target,
        CancellationToken ct)
    {
        if (target is null)
        {
            _output.Problem($"{title}: the Service has no such address");
            return false;
        }
        await UntilServedAsync(sandbox, known.Client, kind, target, ct);
        var round = await RequestRound.RunAsync(sandbox, known.Client, kind, target, Requests, ct);
        _output.Table($"{Requests} requests to {target}: {title}", ["pod", "node", "answers", "share"],
            round.Answers.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(Row), numbers: 2);
        _output.Line(string.Create(CultureInfo.InvariantCulture,
            $"{round.Answered} answered, {round.Failed} failed; median {round.MedianMs:0.00} ms, slowest {round.SlowestMs:0.00} ms"));
        foreach (var (problem, times) in round.Failures)
            _output.Problem($"{times} times {problem}");
        if (round.Answers.Count < Math.Min(FewestBackends, known.Replicas))
            _output.Problem($"only {round.Answers.Count} of {known.Replicas} backends answered");
        return round.Failed == 0 && round.Answered == Requests && round.Answers.Count >= Math.Min(FewestBackends, known.Replicas);
    }

    // the agents learn of endpoints by watch, as on every cluster: moments after the slices say so
    private static async Task UntilServedAsync(SandboxView sandbox, string client, string kind, IPEndPoint target, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        for (var tries = 0; tries < 50; tries++)
        {
            if ((await RequestRound.RunAsync(sandbox, client, kind, target, 1, ct)).Answered == 1)
                return;
            await timer.WaitForNextTickAsync(ct);
        }
    }

    private static string[] Row(KeyValuePair<string, int> answer)
    {
        var who = answer.Key.Split(' ', 2);
        var share = (100.0 * answer.Value / Requests).ToString("0", CultureInfo.InvariantCulture) + " %";
        return [who[0], who.ElementAtOrDefault(1) ?? "", answer.Value.ToString(CultureInfo.InvariantCulture), share];
    }

    private async Task TablesAsync(SandboxView sandbox, CancellationToken ct)
    {
        var rows = new List<IReadOnlyList<string>>();
        foreach (var node in sandbox.NodeNames)
            rows.AddRange(AgentTables.Read(await sandbox.MetricsAsync(node, ct))
                .Select(table => (string[])[node, table.Table, table.Entries.ToString(CultureInfo.InvariantCulture),
                    table.Size.ToString(CultureInfo.InvariantCulture)]));
        _output.Table("Kernel tables", ["node", "table", "entries", "size"], rows, numbers: 2);
    }

    private async Task FarewellAsync(SandboxView sandbox, CancellationToken ct)
    {
        var self = $"{string.Join(' ', DetachedSandbox.Self)} --name {sandbox.Name}";
        var known = DemoManifest.Read(await File.ReadAllTextAsync(manifest, ct));
        var service = await sandbox.Client.GetAsync(ResourceTypes.Services, "default", known.Service, ct);
        var address = DemoManifest.Target(service, v6: false, "TCP");
        _output.Line();
        _output.Line("The sandbox keeps running. Where to look next:");
        _output.Line($"  export KUBECONFIG={sandbox.KubeconfigPath}");
        _output.Line("  kubectl get nodes,pods,svc,endpointslices -A -o wide");
        _output.Line("  kubectl scale deployment web --replicas=5");
        var ask = $"import urllib.request as u; print(u.urlopen(\"http://{address}/\").read())";
        _output.Line($"  kubectl exec {known.Client} -- python3 -c '{ask}'");
        _output.Line($"  kubectl port-forward service/{known.Service} 8080:80    # and in another shell: curl localhost:8080");
        _output.Line("  kubectl -n kube-system exec ds/ebpf-cni -- ecni status");
        _output.Line($"  PATH={Path.GetFullPath(options.Artifacts ?? "artifacts")}:$PATH kubectl ecni status    # all nodes in one table");
        _output.Line("  kubectl -n kube-system logs ds/ebpf-cni -f");
        foreach (var node in sandbox.NodeNames)
            _output.Line($"  curl -s {new Uri(sandbox.ApiAddress, NodeEndpoint.MetricsPath(node))}");
        _output.Line($"  {self} agent kill {sandbox.NodeNames[0]}    # traffic goes on; `agent start {sandbox.NodeNames[0]}` brings it "
            + $"back");
        _output.Line($"  {self} down    # ends it and removes everything");
    }
}

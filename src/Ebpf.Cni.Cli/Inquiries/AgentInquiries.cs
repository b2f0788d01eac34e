using System.Globalization;
using System.Text.Json.Serialization.Metadata;
using Ebpf.Cni.Cli.Merged;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Reporting;
using Ebpf.Cni.Cli.Text;

namespace Ebpf.Cni.Cli.Inquiries;

/// <summary>Every question that an agent answers.</summary>
internal static class AgentInquiries
{
    public static Inquiry<StatusAnswer> Status { get; } = new(ObservePaths.Status, ["status"], ObserveJson.Wire.StatusAnswer)
    {
        Text = (answer, width) => StatusText.Of(answer, CliVersion.Text, width),
        Merged = ClusterStatusText.Of,
        IsGood = answer => answer.Ready,
    };

    public static Inquiry<ServicesAnswer> ServiceList(Narrowing narrowing) =>
        List(ObservePaths.Services, "service", ObserveJson.Wire.ServicesAnswer, Listings.Services, narrowing);

    public static Inquiry<EndpointsAnswer> EndpointList(Narrowing narrowing) =>
        List(ObservePaths.Endpoints, "endpoint", ObserveJson.Wire.EndpointsAnswer, Listings.Endpoints, narrowing);

    public static Inquiry<ConntrackAnswer> ConntrackList(Narrowing narrowing) =>
        List(ObservePaths.Conntrack, "conntrack", ObserveJson.Wire.ConntrackAnswer, Listings.Conntrack, narrowing);

    public static Inquiry<IpcacheAnswer> IpcacheList(Narrowing narrowing) =>
        List(ObservePaths.Ipcache, "ipcache", ObserveJson.Wire.IpcacheAnswer, Listings.Ipcache, narrowing);

    /// <param name="name">NAMESPACE/NAME.</param>
    public static Inquiry<ServiceAnswer> Service(string name) => new(
        $"{ObservePaths.Services}/{string.Join('/', name.Split('/').Select(Uri.EscapeDataString))}", ["service", "get", name],
        ObserveJson.Wire.ServiceAnswer)
    {
        Text = ServiceText.Of,
        Merged = (answers, width) => ClusterServiceText.Of(ServiceComparison.Of(name, answers), width),
        Differences = answers => ServiceComparison.Of(name, answers).Differences,
        Unknown = ServiceAnswer.Unknown(name),
    };

    /// <param name="target">HOST:PORT.</param>
    /// <param name="timeout">For name and connection together.</param>
    public static Inquiry<ProbeAnswer> Probe(string target, TimeSpan timeout) => new(
        "", ["probe", target, "--timeout", timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)], ObserveJson.Wire.ProbeAnswer)
    {
        Text = (answer, _) => Listings.Probe.Text(answer),
        Merged = (answers, _) => MergedListing.Of(Listings.Probe, answers),
        IsGood = answer => answer.Error is null,
    };

    private static Inquiry<T> List<T>(
        string path, string what, JsonTypeInfo<T> type, Listing<T> listing, Narrowing narrowing) where T : class =>
        new(path + narrowing.Query, [what, "list", .. narrowing.Options], type)
        {
            Text = (answer, _) => listing.Text(answer),
            Merged = (answers, _) => MergedListing.Of(listing, answers),
        };
}

using Ebpf.Cni.Agent.Pods;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Agent.Tests.Pods;

/// <summary>Which refused CNI requests are issues of the node.</summary>
public class CniRefusalsTests
{
    [Fact]
    public void A_refusal_with_a_cause_on_the_node_is_an_event_of_the_node()
    {
        var exhausted = CniRefusals.IssueOf(new CniException(CniErrorCode.AddressesExhausted, "no free address in 10.1.0.0/30"), "n1",
            "u1");
        Assert.Equal(("Node", "n1", "u1", "PodAddressesExhausted"),
            (exhausted!.Kind, exhausted.Name.Name, exhausted.Uid, exhausted.Reason));
        Assert.Contains("10.1.0.0/30", exhausted.Message, StringComparison.Ordinal);
        var full = CniRefusals.IssueOf(
            new CniException(
                CniErrorCode.Internal, "x", "", new DataplaneException("full. Raise the endpoint-table-size option.")),
            "n1", "u1");
        Assert.Equal("TableFull", full!.Reason);
        Assert.Contains("endpoint-table-size", full.Message, StringComparison.Ordinal);
        Assert.Null(CniRefusals.IssueOf(new CniException(CniErrorCode.InvalidEnvironment, "x"), "n1", "u1"));
    }
}

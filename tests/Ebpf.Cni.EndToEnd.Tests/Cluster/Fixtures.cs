namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>Services answered at the socket: the default.</summary>
public sealed class SocketCluster() : ClusterFixture("e2e");

/// <summary>Services answered by the tc programs alone.</summary>
public sealed class PacketCluster() : ClusterFixture("e2e-tc", "--socket-lb", "off");

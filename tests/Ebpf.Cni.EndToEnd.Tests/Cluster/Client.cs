namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>Who asks: a pod, a node itself, or somebody outside of the cluster.</summary>
public abstract record Client
{
    public sealed record Pod(string Name) : Client;

    public sealed record Node(string Name) : Client;

    /// <param name="Host">Which of the world's addresses it has: 1 to 254.</param>
    public sealed record Outside(int Host = 1) : Client;
}

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>Where a server of a <see cref="Town"/> is.</summary>
public enum Place
{
    PodHere,
    PodElsewhere,
    Outside,
}

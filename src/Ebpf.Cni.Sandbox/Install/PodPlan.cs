namespace Ebpf.Cni.Sandbox.Install;

/// <summary>A pod's specification as far as it says what its node has to do.</summary>
/// <param name="Preparations">The init containers, in their order: each runs once, to its end.</param>
public sealed record PodPlan(
    IReadOnlyList<ContainerPlan> Preparations, IReadOnlyList<ContainerPlan> Containers, IReadOnlyDictionary<string, VolumePlan> Volumes)
{
    public required string ServiceAccount { get; init; }

    /// <summary>Its containers get the account's token, unless the specification says no.</summary>
    public bool ServiceAccountToken { get; init; } = true;

    /// <summary>Between SIGTERM and SIGKILL.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>A container of a pod.</summary>
/// <param name="Command">The command and its arguments, $(NAME) not yet expanded.</param>
public sealed record ContainerPlan(string Name, string Image, IReadOnlyList<string> Command)
{
    public IReadOnlyList<VariablePlan> Environment { get; init; } = [];

    public IReadOnlyList<MountPlan> Mounts { get; init; } = [];

    /// <summary>Without the prefix CAP_, sorted: exactly what its processes may have.</summary>
    public IReadOnlyList<string> Capabilities { get; init; } = [];

    public bool ReadOnlyRoot { get; init; }

    public bool NoNewPrivileges { get; init; }

    public ProbePlan? Startup { get; init; }

    public ProbePlan? Readiness { get; init; }

    public ProbePlan? Liveness { get; init; }
}

/// <summary>A variable of the environment.</summary>
/// <param name="Value">Literal, $(NAME) not yet expanded; null where a field of the pod is the source.</param>
/// <param name="Field">"spec.nodeName", "status.hostIP" ...</param>
public sealed record VariablePlan(string Name, string? Value, string? Field);

/// <summary>Where a volume is seen in a container.</summary>
/// <param name="SubPath">A part of the volume; empty: all of it.</param>
public sealed record MountPlan(string Volume, string Path, bool ReadOnly, Propagation Propagation, string SubPath);

/// <summary>Whether what is mounted later on one side is seen on the other.</summary>
public enum Propagation
{
    None,
    HostToContainer,
    Bidirectional,
}

public abstract record VolumePlan
{
    /// <summary>A directory or file of the node.</summary>
    /// <param name="Type">Empty, DirectoryOrCreate, Directory, FileOrCreate or File.</param>
    public sealed record HostPath(string Path, string Type) : VolumePlan;

    /// <summary>The keys of a ConfigMap as files.</summary>
    /// <param name="Items">Key → path; empty: every key under its own name.</param>
    public sealed record ConfigMap(string Name, IReadOnlyDictionary<string, string> Items, bool Optional) : VolumePlan;

    /// <summary>A directory that lives as long as the pod.</summary>
    public sealed record EmptyDirectory : VolumePlan;
}

/// <summary>A GET that tells how a container is.</summary>
/// <param name="Host">Null: the pod's address.</param>
public sealed record ProbePlan(string? Host, int Port, string Path);

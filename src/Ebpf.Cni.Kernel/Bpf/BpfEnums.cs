namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>enum bpf_map_type, the ones this project meets.</summary>
public enum BpfMapType
{
    Unspecified = 0,
    Hash = 1,
    Array = 2,
    ProgramArray = 3,
    PerfEventArray = 4,
    PerCpuHash = 5,
    PerCpuArray = 6,
    LruHash = 9,
    LruPerCpuHash = 10,
    LpmTrie = 11,
    ArrayOfMaps = 12,
    HashOfMaps = 13,
    DevMap = 14,
    SockMap = 15,
    SockHash = 18,
    CgroupStorage = 19,
    Queue = 22,
    Stack = 23,
    SocketStorage = 24,
    DevMapHash = 25,
    RingBuffer = 27,
}

/// <summary>Map flags (BPF_F_*) that matter to who creates or checks a map.</summary>
[Flags]
public enum BpfMapFlags
{
    None = 0,

    /// <summary>Memory is taken per element, when it is written; LPM tries require it.</summary>
    NoPreallocation = 1 << 0,

    /// <summary>User space may only read.</summary>
    ReadOnly = 1 << 3,

    /// <summary>Programs may only read.</summary>
    ReadOnlyForPrograms = 1 << 7,

    /// <summary>An array that <see cref="BpfMap.MapArray{T}"/> can map.</summary>
    MemoryMappable = 1 << 10,
}

/// <summary>enum bpf_prog_type, the ones this project meets.</summary>
public enum BpfProgramType
{
    Unspecified = 0,
    SocketFilter = 1,
    TrafficClassifier = 3,
    Tracepoint = 5,
    Xdp = 6,
    CgroupSkb = 8,
    CgroupSock = 9,
    SockOps = 13,
    RawTracepoint = 17,
    CgroupSockAddr = 18,
    Tracing = 26,
}

/// <summary>enum bpf_attach_type, the ones this project attaches to.</summary>
public enum BpfAttachType
{
    CgroupInetIngress = 0,
    CgroupInetEgress = 1,
    CgroupSockOps = 3,
    Bind4 = 8,
    Bind6 = 9,
    Connect4 = 10,
    Connect6 = 11,
    Sendmsg4 = 14,
    Sendmsg6 = 15,
    Recvmsg4 = 19,
    Recvmsg6 = 20,
    Getpeername4 = 29,
    Getpeername6 = 30,
    CgroupSockRelease = 34,
    Xdp = 37,
    TcxIngress = 46,
    TcxEgress = 47,
}

/// <summary>enum bpf_link_type, the ones this project meets.</summary>
public enum BpfLinkType
{
    Unspecified = 0,
    Cgroup = 3,
    NetworkNamespace = 5,
    Xdp = 6,
    Tcx = 11,
}

/// <summary>What an update may do.</summary>
public enum BpfUpdateMode
{
    /// <summary>Add or replace.</summary>
    Any = 0,

    /// <summary>Add; EEXIST if the key is there.</summary>
    Add = 1,

    /// <summary>Replace; ENOENT if the key is absent.</summary>
    Replace = 2,
}

/// <summary>The side of an interface: what it receives, or what it sends.</summary>
public enum TcDirection
{
    Ingress,
    Egress,
}

/// <summary>Socket hooks of a cgroup; the values are enum bpf_attach_type's.</summary>
public enum CgroupAttach
{
    Connect4 = BpfAttachType.Connect4,
    Connect6 = BpfAttachType.Connect6,
    Sendmsg4 = BpfAttachType.Sendmsg4,
    Sendmsg6 = BpfAttachType.Sendmsg6,
    Recvmsg4 = BpfAttachType.Recvmsg4,
    Recvmsg6 = BpfAttachType.Recvmsg6,
    Getpeername4 = BpfAttachType.Getpeername4,
    Getpeername6 = BpfAttachType.Getpeername6,
    Bind4 = BpfAttachType.Bind4,
    Bind6 = BpfAttachType.Bind6,
    SockOps = BpfAttachType.CgroupSockOps,
    SockRelease = BpfAttachType.CgroupSockRelease,
}

/// <summary>How XDP runs: the kernel's choice (native where the driver can), or forced.</summary>
public enum XdpMode
{
    Default = 0,

    /// <summary>After an skb exists; every device can.</summary>
    Generic = 1 << 1,

    /// <summary>In the driver; EOPNOTSUPP where it cannot.</summary>
    Native = 1 << 2,
}

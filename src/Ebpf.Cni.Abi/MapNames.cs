namespace Ebpf.Cni.Abi;

/// <summary>Names of the maps as they are pinned; the layout's version is part of the name (15 characters at most).</summary>
public static class MapNames
{
    public const string Service = "ebc_svc_v2";
    public const string Backend = "ebc_backend_v1";

    /// <summary>What a socket asked for and where it was led, kept with the socket.</summary>
    public const string Sk = "ebc_sk_v1";

    /// <summary>What a datagram socket has put into the two tables below, kept with the socket.</summary>
    public const string SkPuts = "ebc_sk_puts_v1";

    /// <summary>What unconnected datagram sockets asked for besides, by the backend that answers.</summary>
    public const string SockRev = "ebc_sock_rev_v2";

    /// <summary>Which backends unconnected datagram sockets go to besides.</summary>
    public const string SockFlow = "ebc_sockflow_v2";

    /// <summary>TCP connections.</summary>
    public const string ConntrackTcp = "ebc_ct_tcp_v3";

    /// <summary>Flows of all other protocols.</summary>
    public const string ConntrackAny = "ebc_ct_any_v3";

    /// <summary>A global of the programs: how full these two are, about.</summary>
    public const string ConntrackLoad = "ebc_ctload_v1";

    /// <summary>Needs no pin: the former table of TCP connections while it is replaced by one of another size, else of no use.</summary>
    public const string ConntrackTcpOld = "ebc_tcp_old_v3";

    /// <summary>The same of the other one.</summary>
    public const string ConntrackAnyOld = "ebc_any_old_v3";

    /// <summary>Reply routes of pods to outside clients that connected directly, or by another node that kept their source.</summary>
    public const string Return = "ebc_return_v1";

    /// <summary>Needs no pin: it bridges the microseconds between the fragments of one datagram.</summary>
    public const string Fragment = "ebc_frag_v2";

    /// <summary>Needs no pin either: later fragments that came before the first one.</summary>
    public const string Held = "ebc_held_v1";

    public const string Endpoint = "ebc_ep_v1";

    /// <summary>
    /// What each CPU has for itself: counters, token buckets, and working memory that says nothing from one packet to the next.
    /// </summary>
    public const string Cpu = "ebc_cpu_v1";

    /// <summary>Session affinity.</summary>
    public const string Affinity = "ebc_aff_v1";

    /// <summary>loadBalancerSourceRanges.</summary>
    public const string SourceRange = "ebc_srange_v1";

    /// <summary>Counters of services and backends.</summary>
    public const string Stat = "ebc_stat_v1";

    /// <summary>What destinations are: pods, nodes, exempt from masquerading; and through which tunnel they are reached.</summary>
    public const string Ipcache = "ebc_ipcache_v2";

    /// <summary>A global of the programs: the node's addresses, its end of all tunnels, the epoch of the frontends.</summary>
    public const string Node = "ebc_node_v1";

    /// <summary>The uplinks' addresses, by device.</summary>
    public const string Uplink = "ebc_uplink_v1";

    /// <summary>The addresses of a pod's network namespace.</summary>
    public const string Netns = "ebc_netns_v1";

    public const string Events = "ebc_events_v1";

    /// <summary>The read-only global that carries <see cref="Abi.Config"/>.</summary>
    public const string Config = "ebc_config";
}

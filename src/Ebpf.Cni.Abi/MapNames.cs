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

    public const string Conntrack = "ebc_ct_v2";

    /// <summary>By which way pods answer those outside who asked them directly, or by another node that kept their source.</summary>
    public const string Return = "ebc_return_v1";

    /// <summary>Needs no pin: it bridges the microseconds between the fragments of one datagram.</summary>
    public const string Fragment = "ebc_frag_v1";

    public const string Endpoint = "ebc_ep_v1";
    public const string Metric = "ebc_metric_v3";

    /// <summary>Session affinity.</summary>
    public const string Affinity = "ebc_aff_v1";

    /// <summary>loadBalancerSourceRanges.</summary>
    public const string SourceRange = "ebc_srange_v1";

    /// <summary>Counters of services and backends.</summary>
    public const string Stat = "ebc_stat_v1";

    /// <summary>What destinations are: pods, nodes, exempt from masquerading; and through which tunnel they are reached.</summary>
    public const string Ipcache = "ebc_ipcache_v2";

    /// <summary>This node's end of all tunnels.</summary>
    public const string Overlay = "ebc_overlay_v1";

    /// <summary>The node's addresses, by device.</summary>
    public const string Uplink = "ebc_uplink_v1";

    /// <summary>The addresses of a pod's network namespace.</summary>
    public const string Netns = "ebc_netns_v1";

    /// <summary>Working memory of the packet programs; says nothing from one packet to the next.</summary>
    public const string Scratch = "ebc_scratch_v1";

    public const string Events = "ebc_events_v1";

    /// <summary>The read-only global that carries <see cref="Abi.Config"/>.</summary>
    public const string Config = "ebc_config";
}

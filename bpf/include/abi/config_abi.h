/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_CONFIG_ABI_H
#define EBC_CONFIG_ABI_H

#include "common_abi.h"

enum ebc_config_flags {
	EBC_CONFIG_REDIRECT_PEER = 1 << 0, /* bpf_redirect_peer works (5.10) */
	EBC_CONFIG_SET_RETVAL =
	    1 << 1, /* bpf_set_retval works in socket hooks (5.18): ECONNREFUSED instead of EPERM */
	EBC_CONFIG_DROP_EVENTS = 1 << 2, /* report drops through the ring buffer */
	EBC_CONFIG_TC_SERVICES = 1 << 3, /* tc translates services (what met no socket hook) */
	EBC_CONFIG_HOST_ONLY = 1 << 4,	 /* socket hooks leave pods alone: only the node's own sockets */
	EBC_CONFIG_MASQUERADE = 1 << 5,	 /* pods leave the cluster with the node's address */
	EBC_CONFIG_KEEP_SOURCE =
	    1 << 6, /* what arrives over an uplink keeps its source even under the Cluster policy */
	EBC_CONFIG_COARSE_CLOCK = 1 << 7, /* bpf_ktime_get_coarse_ns works (5.11) */
	EBC_CONFIG_BIND_GUARD = 1 << 8,	  /* the node's sockets may not bind a NodePort */
	EBC_CONFIG_CHAINED = 1 << 9, /* pods' interfaces are another plugin's: only services are touched */
	EBC_CONFIG_RESIZE_TCP = 1 << 10, /* ebc_ct_tcp_v3 is being replaced by one of another size */
	EBC_CONFIG_RESIZE_ANY = 1 << 11, /* the same of ebc_ct_any_v3 */
	EBC_CONFIG_SOCKET_LB =
	    1 << 12, /* socket hooks are on: for the node, and without HOST_ONLY for pods */
	EBC_CONFIG_LOOPBACK_ONLY = 1 << 13, /* socket hooks leave all to tc but what the node asks a loopback
					       address from another one */
	EBC_CONFIG_WHOLE_LO = 1 << 14,	    /* all on lo is looked at though socket hooks are on: it has
					       connections from before them */
};

/* Seconds of idleness after which a conntrack entry expires, by state (enum ebc_ct_state). */
struct ebc_ct_timeouts {
	__u32 syn_sent;
	__u32 syn_recv;
	__u32 established;
	__u32 fin_wait;
	__u32 close_wait;
	__u32 last_ack;
	__u32 time_wait;
	__u32 close;
	__u32 udp;
	__u32 udp_stream;
	__u32 sctp_opening;
	__u32 sctp_established;
	__u32 sctp_closing;
	__u32 icmp;
	__u32 generic;
};
_Static_assert(sizeof(struct ebc_ct_timeouts) == 60, "ebc_ct_timeouts");

/* Read-only global `ebc_config` of every object, set before load; the verifier prunes what is off. */
struct ebc_config {
	__u32 flags; /* enum ebc_config_flags */
	__u16
	    snat_port_min; /* source ports for masquerading, both included; the client's own is tried first */
	__u16 snat_port_max;
	__u64 host_netns_cookie; /* SO_NETNS_COOKIE of the node's namespace; 0: ask for the initial one
				    (before 5.14) */
	struct ebc_ct_timeouts ct_timeouts;
	__u32 refusal_rate; /* ICMP errors and resets per second and CPU; 0: none */
	__u32 record_rate;  /* drop records per second and CPU; 0: none */
	__u32 ct_tcp_size;  /* entries that fit into ebc_ct_tcp_v3 */
	__u32 ct_any_size;  /* the same of ebc_ct_any_v3 */
	__be16 tunnel_port; /* UDP port of the cluster's tunnels; 0: this node may have none */
	__u16 pad0;
};
_Static_assert(sizeof(struct ebc_config) == 96, "ebc_config");

#endif

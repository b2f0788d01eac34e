/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_SERVICE_ABI_H
#define EBC_SERVICE_ABI_H

#include "common_abi.h"

/* Who asks: traffic policies (internalTrafficPolicy, externalTrafficPolicy) may give each its own backends.
 */
enum ebc_scope {
	EBC_SCOPE_INTERNAL = 0, /* a pod or the node itself */
	EBC_SCOPE_EXTERNAL =
	    1, /* arrived over an uplink; a frontend without such an entry is served by its internal one */
	EBC_SCOPE_BIND =
	    2, /* no traffic: {::, port, proto} is there if the port is a NodePort, for the bind hook */
};

/* Key of ebc_svc_v2: one frontend. proto is the IP protocol number. {address, 0, 0, internal} stands for all
 * ports and protocols that a cluster IP does not have. */
struct ebc_svc_key {
	struct ebc_addr addr;
	__be16 port;
	__u8 proto;
	__u8 scope; /* enum ebc_scope */
};
_Static_assert(sizeof(struct ebc_svc_key) == 20, "ebc_svc_key");

enum ebc_svc_flags {
	EBC_SVC_DROP_EMPTY =
	    1 << 0, /* count 0 means silent drop (backends exist, none usable here), not refusal */
	EBC_SVC_SOURCE_RANGES = 1 << 1, /* only for clients in ebc_srange_v1; others are dropped in silence */
	EBC_SVC_KEEP_SOURCE =
	    1 << 2, /* what arrives over an uplink keeps its source (externalTrafficPolicy Local, hostPort) */
	EBC_SVC_ADDRESS = 1 << 3, /* the entry of an address, not of a port: refused */
	EBC_SVC_NODE_SERVER =
	    1 << 4, /* a server of the node listens on this very address and port: left to it */
};

/*
 * Value of ebc_svc_v2. The backends are ebc_backend_v1[offset .. offset + count), sorted by address and port
 * in network order; new connections go to them. Behind them are `tail` more, sorted by themselves: they serve
 * but are not chosen (terminating while others are ready, or elsewhere under a Local policy), and datagrams
 * of flows that already go to them are left alone. A segment is written completely before a frontend points
 * to it and rests after the last frontend has left it, so what a reader finds at offset + n is always a
 * backend of this service. count 0: nobody serves it; refused at once.
 */
struct ebc_svc {
	__u32 offset;
	__u32 count;
	__u32 service_id;   /* one service port; stable across agent restarts */
	__u32 flags;	    /* enum ebc_svc_flags */
	__u32 affinity_sec; /* session affinity ClientIP: its time-out; 0 = none */
	__u32 tail;
};
_Static_assert(sizeof(struct ebc_svc) == 24, "ebc_svc");

enum ebc_backend_flags {
	EBC_BACKEND_LOCAL = 1 << 0, /* on this node */
};

/* Element of ebc_backend_v1, one array of segments, mapped into the agent. */
struct ebc_backend {
	struct ebc_addr addr;
	__be16 port;
	__u16 flags;	  /* enum ebc_backend_flags */
	__u32 service_id; /* owner of the segment; lets a dump be checked without the frontends */
};
_Static_assert(sizeof(struct ebc_backend) == 24, "ebc_backend");

/*
 * Value of ebc_sk_v1 (socket storage: freed with the socket): the frontend that a socket asked for and the
 * backend that it was led to. A TCP socket's connection; of a datagram socket the frontend that it is
 * connected to, else the first one that it sent to. Never changed but for single words, only replaced.
 */
struct ebc_sk {
	struct ebc_addr front;
	struct ebc_addr backend;
	__be16 front_port;
	__be16 port; /* the backend's */
	__u32 service_id;
	__u32 backend_index; /* its position in the service's segment when last seen */
	__u32 flags;	     /* enum ebc_flow_flags */
	__u64 cookie;	     /* the socket's own */
	__u64 last_used_ns;  /* CLOCK_MONOTONIC, exact to a second; not kept while it is connected */
};
_Static_assert(sizeof(struct ebc_sk) == 64, "ebc_sk");

enum ebc_flow_flags {
	EBC_FLOW_PACKETS = 1 << 0, /* no backend here: these datagrams are left to tc */
};

/* Key and value of ebc_sock_rev_v2 (LRU): what address a datagram socket asked for, besides the one in its
 * ebc_sk; found again from the backend that answers. */
struct ebc_sock_rev_key {
	__u64 cookie;
	struct ebc_addr addr;
	__be16 port;
	__u16 pad0;
	__u32 pad1;
};
_Static_assert(sizeof(struct ebc_sock_rev_key) == 32, "ebc_sock_rev_key");

struct ebc_sock_rev {
	struct ebc_addr addr;
	__be16 port;
	__u16 pad0;
	__u32 service_id;
};
_Static_assert(sizeof(struct ebc_sock_rev) == 24, "ebc_sock_rev");

/* Value of ebc_sockflow_v2 (LRU), whose key is an ebc_sock_rev_key with the frontend in it: the backend that
 * an unconnected datagram socket goes to, for frontends besides the one in its ebc_sk. */
struct ebc_sock_flow {
	struct ebc_addr addr;
	__be16 port;
	__u16 pad0;
	__u32 service_id;
	__u32 backend_index; /* its position in the service's segment when last seen */
	__u32 flags;	     /* enum ebc_flow_flags */
	__u64 last_used_ns;  /* CLOCK_MONOTONIC, exact to a second */
};
_Static_assert(sizeof(struct ebc_sock_flow) == 40, "ebc_sock_flow");

/* Elements of ebc_sockflow_v2 and ebc_sock_rev_v2 that a socket has made. A port of 0: none in that table. */
struct ebc_sk_put {
	struct ebc_addr front;
	struct ebc_addr backend;
	__be16 front_port;
	__be16 port;
};
_Static_assert(sizeof(struct ebc_sk_put) == 36, "ebc_sk_put");

#define EBC_SK_PUTS 8

/* Value of ebc_sk_puts_v1 (socket storage): what to delete when a datagram socket is closed. */
struct ebc_sk_puts {
	__u32 count;
	struct ebc_sk_put put[EBC_SK_PUTS];
};
_Static_assert(sizeof(struct ebc_sk_puts) == 292, "ebc_sk_puts");

/* Key of ebc_aff_v1 (LRU), session affinity. The client is a pod by its address, whichever hook it meets; the
 * node by its own (ebc_node.own); any other client by the source address. */
struct ebc_affinity_key {
	struct ebc_addr client;
	__u32 service_id;
	__u32 pad0;
};
_Static_assert(sizeof(struct ebc_affinity_key) == 24, "ebc_affinity_key");

struct ebc_affinity {
	struct ebc_addr addr; /* the backend */
	__be16 port;
	__u16 pad0;
	__u32 pad1;
	__u64 last_used_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct ebc_affinity) == 32, "ebc_affinity");

/* Key of ebc_srange_v1 (LPM): who may use a service with EBC_SVC_SOURCE_RANGES. prefixlen counts the service
 * id too: 32 + 96 + n for an IPv4 prefix of n bits, 32 + n for IPv6. */
struct ebc_srange_key {
	__u32 prefixlen;
	__be32 service_id; /* network order only so that it is a prefix, bit by bit */
	struct ebc_addr addr;
};
_Static_assert(sizeof(struct ebc_srange_key) == 24, "ebc_srange_key");

struct ebc_srange {
	__u32 allow; /* 1 */
};
_Static_assert(sizeof(struct ebc_srange) == 4, "ebc_srange");

/* Key of ebc_stat_v1 (LRU): a backend of a service port. */
struct ebc_stat_key {
	struct ebc_addr addr;
	__u32 service_id;
	__be16 port;
	__u16 pad0;
};
_Static_assert(sizeof(struct ebc_stat_key) == 24, "ebc_stat_key");

/* Connections are counted when they begin; packets and bytes when they end (TCP sockets, conntrack entries).
 */
struct ebc_stat {
	__u64 connections;
	__u64 packets_to; /* towards the backend */
	__u64 bytes_to;
	__u64 packets_from;
	__u64 bytes_from;
};
_Static_assert(sizeof(struct ebc_stat) == 40, "ebc_stat");

#endif

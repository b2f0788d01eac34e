/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A packet as the programs know it: how it arrived, what they found out, and what it becomes. */
#ifndef EBC_PACKET_H
#define EBC_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stddef.h>

#include "abi/conntrack_abi.h"
#include "abi/endpoint_abi.h"
#include "abi/node_abi.h"
#include "abi/service_abi.h"
#include "scratch.h"

#define EBC_IP_OFFSET ((__u32)sizeof(struct ethhdr))
#define EBC_V4_HEADER ((__u32)sizeof(struct iphdr))
#define EBC_V6_HEADER ((__u32)sizeof(struct ipv6hdr))
#define EBC_L4_HEADER 20 /* what is read of a transport header: TCP's without options */
#define EBC_HEAD (EBC_IP_OFFSET + EBC_V6_HEADER + EBC_L4_HEADER)
#define EBC_TCP_FIN 0x01
#define EBC_TCP_SYN 0x02
#define EBC_TCP_RST 0x04
#define EBC_TCP_ACK 0x10

enum ebc_packet_flags {
	EBC_PKT_PORTS = 1 << 0, /* there are ports, or an ICMP query's identifier, and they are known */
	EBC_PKT_FIRST = 1 << 1, /* first of several fragments */
	EBC_PKT_LATER = 1 << 2, /* another fragment: no transport header */
	EBC_PKT_V6 = 1 << 3,
	EBC_PKT_ARP = 1 << 4,	    /* nothing but the Ethernet header is filled */
	EBC_PKT_EDITED = 1 << 5,    /* an ICMP error: what it quotes has been translated */
	EBC_PKT_WHOLE = 1 << 6,	    /* not to be fragmented on its way (IPv6 never is) */
	EBC_PKT_CHANGED = 1 << 7,   /* .to is not how it arrived */
	EBC_PKT_TRACKED = 1 << 8,   /* its connection is in the table */
	EBC_PKT_STACK = 1 << 9,	    /* an answer that the host's stack has to see */
	EBC_PKT_ASKS = 1 << 10,	    /* an ICMP query, not the answer to one */
	EBC_PKT_RESOLVED = 1 << 11, /* .place is that of .to.dst */
	EBC_PKT_ROUTED = 1 << 12,   /* .route is that of .to.dst, from the device where it arrived */
	EBC_PKT_OF_POD = 1 << 13,   /* the host's stack forwards it for a pod of this node */
	EBC_PKT_AGAIN = 1 << 14,    /* it has arrived before (held.h) */
};

/* What an address is to this node. */
struct ebc_place {
	struct ebc_ep pod;    /* the pod of this node that has it; its ifindex is 0 if none has */
	__u32 kind;	      /* enum ebc_ipcache_flags; 0: outside of the cluster */
	__u32 tunnel;	      /* the tunnels' device if it is reached through one, else 0 */
	struct ebc_addr peer; /* with a tunnel: the address of the node at its other end */
};

struct ebc_packet {
	struct ebc_subject about; /* the flow as it arrived; ports 0 where there are none */
	__be32 fragment_id;
	__u16 l4; /* offset of the transport header */
	__u16 ip_len;
	__u16 flags;   /* enum ebc_packet_flags */
	__u16 headers; /* bytes of IP and transport header, TCP and UDP */
	__u8 ttl;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 sctp_chunk; /* type of the first one */
	/* What is found out on the way. */
	struct ebc_flow to; /* what the packet becomes */
	struct ebc_place place;
	__s32 routed; /* BPF_FIB_LKUP_RET_* */
	struct bpf_fib_lookup route;
	struct ebc_ct_key answers; /* of the connection's other entry */
	struct ebc_ct_key quoted;  /* an ICMP error: the entry that it is about */
	__u64 now;
	__u32 epoch; /* ebc_node.epoch before the frontends were asked */
	__u32 pad1;
	struct ebc_ct ct;   /* a copy of the packet's entry; or the entry that is being made */
	struct ebc_ct twin; /* the other entry, when it is being made again */
	struct ebc_svc svc; /* the packet's frontend */
	/* The first headers as they arrived, with what was written since; IP is aligned to words. */
	__u8 l4_head[EBC_L4_HEADER];
	__u16 pad0;
	__u8 head[EBC_HEAD];
};
_Static_assert(sizeof(struct ebc_packet) <= EBC_SCRATCH_WORDS * 8, "ebc_packet");
_Static_assert(offsetof(struct ebc_packet, head) % 4 == 2 && offsetof(struct ebc_packet, l4_head) % 4 == 0,
	       "aligned");

static __always_inline struct ethhdr *ebc_eth(struct ebc_packet *p)
{
	return (struct ethhdr *)p->head;
}

static __always_inline struct iphdr *ebc_v4(struct ebc_packet *p)
{
	return (struct iphdr *)(p->head + EBC_IP_OFFSET);
}

static __always_inline struct ipv6hdr *ebc_v6(struct ebc_packet *p)
{
	return (struct ipv6hdr *)(p->head + EBC_IP_OFFSET);
}

/* It came to this node from the network: as it is, or through a tunnel. */
static __always_inline bool ebc_from_network(const struct ebc_packet *p)
{
	return p->about.hook == EBC_HOOK_UPLINK_INGRESS || p->about.hook == EBC_HOOK_OVERLAY_INGRESS;
}

/* The node's own sockets send it. */
static __always_inline bool ebc_from_node(const struct ebc_packet *p)
{
	return (p->about.hook == EBC_HOOK_HOST_EGRESS || p->about.hook == EBC_HOOK_OVERLAY_EGRESS) &&
	       !(p->flags & EBC_PKT_OF_POD);
}

/* ... on their way to the network, or into a pod. */
static __always_inline bool ebc_own(const struct __sk_buff *skb, const struct ebc_packet *p)
{
	return ebc_from_node(p) || (p->about.hook == EBC_HOOK_POD_INGRESS && !skb->ingress_ifindex);
}

#endif

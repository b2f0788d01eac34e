/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From bytes to a flow, by a cursor: each read is bounds-checked by the helper and moves on. */
#ifndef EBC_PARSE_H
#define EBC_PARSE_H

#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi/service_abi.h"
#include "scratch.h"

#define EBC_IP_OFFSET ((__u32)sizeof(struct ethhdr))
#define EBC_V6_HEADERS_MAX 8 /* extension headers; more is an attack */
#define EBC_TCP_FIN 0x01
#define EBC_TCP_SYN 0x02
#define EBC_TCP_RST 0x04
#define EBC_TCP_ACK 0x10

enum ebc_packet_flags {
	EBC_PKT_PORTS = 1 << 0, /* TCP, UDP, SCTP or ICMP echo, and the ports are known */
	EBC_PKT_FIRST = 1 << 1, /* first of several fragments */
	EBC_PKT_LATER = 1 << 2, /* another fragment: no transport header */
	EBC_PKT_V6 = 1 << 3,
	EBC_PKT_ARP = 1 << 4,	  /* nothing but eth is filled */
	EBC_PKT_EDITED = 1 << 5,  /* an ICMP error: its translation has been written into it */
	EBC_PKT_WHOLE = 1 << 6,	  /* not to be fragmented on its way (IPv6 never is) */
	EBC_PKT_CHANGED = 1 << 7, /* .to is not how it arrived */
};

struct ebc_packet {
	struct ebc_subject about; /* the flow as it arrived; ports 0 where there are none */
	__be32 fragment_id;
	__u16 l4; /* offset of the transport header */
	__u16 ip_len;
	__u8 flags; /* enum ebc_packet_flags */
	__u8 ttl;
	__u8 tcp_flags;
	__u8 icmp_type;
	struct ethhdr eth;
	__u8 sctp_chunk; /* type of the first one */
	__u8 pad0;
	__u16 headers; /* bytes of IP and transport header, TCP and UDP */
	__u16 pad1;
	__u32 pad2;
	__u64 now;
	/* What is found out on the way. */
	struct ebc_flow to; /* what the packet becomes */
	__u32 pad3;
	struct ebc_ct_key key;	   /* of the packet's entry */
	struct ebc_ct_key answers; /* of the other one */
	struct ebc_ct ct;	   /* an entry that is being made */
	struct ebc_svc svc;	   /* the packet's frontend */
	struct bpf_fib_lookup route;
};
_Static_assert(sizeof(struct ebc_packet) <= EBC_SCRATCH_SIZE, "ebc_packet");

/* It came to this node from the network: as it is, or through a tunnel. */
static __always_inline bool ebc_from_network(const struct ebc_packet *p)
{
	return p->about.hook == EBC_HOOK_UPLINK_INGRESS || p->about.hook == EBC_HOOK_OVERLAY_INGRESS;
}

/* The node's own sockets send it. */
static __always_inline bool ebc_from_node(const struct ebc_packet *p)
{
	return p->about.hook == EBC_HOOK_HOST_EGRESS || p->about.hook == EBC_HOOK_OVERLAY_EGRESS;
}

/*
 * Headers are copied out by bpf_skb_load_bytes and edited by bpf_skb_store_bytes, not through skb->data: a
 * program that writes through the pointer makes the kernel unshare the whole head of every cloned skb before
 * it runs, and each TCP segment is a clone. The copy also reaches what is not linear.
 */
static __always_inline bool ebc_take(struct __sk_buff *skb, __u32 *at, void *to, __u32 size)
{
	if (bpf_skb_load_bytes(skb, *at, to, size))
		return false;
	*at += size;
	return true;
}

static __always_inline void ebc_addr_from_v4(struct ebc_addr *a, __be32 v4)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = v4;
}

static __always_inline bool ebc_parse_v4(struct __sk_buff *skb, struct ebc_packet *p)
{
	__u32 at = EBC_IP_OFFSET;
	struct iphdr ip;
	__u16 fragment;

	if (!ebc_take(skb, &at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return false;
	p->ip_len = bpf_ntohs(ip.tot_len);
	/* 0 is a segment above 64 KiB (BIG TCP): its length is the skb's. */
	if (!p->ip_len)
		p->ip_len = skb->len - EBC_IP_OFFSET > 0xffff ? 0xffff : 0;
	if (p->ip_len < ip.ihl * 4 || (__u32)p->ip_len + EBC_IP_OFFSET > skb->len)
		return false;
	ebc_addr_from_v4(&p->about.flow.src, ip.saddr);
	ebc_addr_from_v4(&p->about.flow.dst, ip.daddr);
	p->about.proto = ip.protocol;
	p->ttl = ip.ttl;
	p->l4 = EBC_IP_OFFSET + ip.ihl * 4;
	p->fragment_id = ip.id;
	fragment = bpf_ntohs(ip.frag_off);
	if (fragment & 0x1fff)
		p->flags |= EBC_PKT_LATER;
	else if (fragment & 0x2000)
		p->flags |= EBC_PKT_FIRST;
	if (fragment & 0x4000)
		p->flags |= EBC_PKT_WHOLE;
	return true;
}

/* Walks the extension headers; false where they are truncated, too many, or name another destination. */
static __always_inline bool ebc_parse_v6_headers(struct __sk_buff *skb, struct ebc_packet *p, __u8 next)
{
	__u32 at = EBC_IP_OFFSET + sizeof(struct ipv6hdr);
	struct {
		__u8 next;
		__u8 len;
		__be16 rest; /* fragment: offset and flags. routing: type and segments left */
		__be32 id;
	} h;
	int i;

	_Pragma("unroll") for (i = 0; i <= EBC_V6_HEADERS_MAX; i++)
	{
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH) {
			p->about.proto = next;
			p->l4 = at;
			return true;
		}
		if (i == EBC_V6_HEADERS_MAX || bpf_skb_load_bytes(skb, at, &h, sizeof(h)))
			return false;
		if (next == IPPROTO_FRAGMENT) {
			p->fragment_id = h.id;
			if (h.rest & bpf_htons(0xfff8))
				p->flags |= EBC_PKT_LATER;
			else if (h.rest & bpf_htons(1))
				p->flags |= EBC_PKT_FIRST;
			at += 8;
		} else if (next == IPPROTO_AH) {
			at += (h.len + 2) * 4;
		} else {
			/* Source routing: the address in the header is not where the packet goes. */
			if (next == IPPROTO_ROUTING && (h.rest & bpf_htons(0xff)))
				return false;
			at += (h.len + 1) * 8;
		}
		next = h.next;
		/* What follows a later fragment's header is data, whatever it says. */
		if (p->flags & EBC_PKT_LATER) {
			p->about.proto = next;
			p->l4 = at;
			return true;
		}
	}
	return false;
}

static __always_inline bool ebc_addr_mapped(const struct in6_addr *a)
{
	return !a->s6_addr32[0] && !a->s6_addr32[1] && a->s6_addr32[2] == bpf_htonl(0xffff);
}

static __always_inline bool ebc_parse_v6(struct __sk_buff *skb, struct ebc_packet *p)
{
	__u32 at = EBC_IP_OFFSET;
	struct ipv6hdr ip;
	__u32 len;

	if (!ebc_take(skb, &at, &ip, sizeof(ip)) || ip.version != 6)
		return false;
	/* A mapped address on the wire would pass for the IPv4 address that it maps in every table. */
	if (ebc_addr_mapped(&ip.saddr) || ebc_addr_mapped(&ip.daddr))
		return false;
	len = bpf_ntohs(ip.payload_len);
	/* 0 with a hop-by-hop header is a jumbogram (BIG TCP); its length is the skb's. */
	if (!len && ip.nexthdr == IPPROTO_HOPOPTS)
		len = skb->len - EBC_IP_OFFSET - sizeof(ip);
	len += sizeof(ip);
	if (len + EBC_IP_OFFSET > skb->len)
		return false;
	p->ip_len = len > 0xffff ? 0xffff : len;
	__builtin_memcpy(&p->about.flow.src, &ip.saddr, 16);
	__builtin_memcpy(&p->about.flow.dst, &ip.daddr, 16);
	p->ttl = ip.hop_limit;
	p->flags |= EBC_PKT_V6 | EBC_PKT_WHOLE;
	return ebc_parse_v6_headers(skb, p, ip.nexthdr);
}

/* Protocols whose header begins with ports. */
static __always_inline bool ebc_has_ports(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* ICMP errors. Redirects (IPv4) are none: they speak to the sender's neighbour about routes, not about a
 * packet. */
static __always_inline bool ebc_is_icmp_error(const struct ebc_packet *p)
{
	__u8 type = p->icmp_type;

	if (p->flags & (EBC_PKT_FIRST | EBC_PKT_LATER))
		return false;
	if (p->flags & EBC_PKT_V6)
		return p->about.proto == IPPROTO_ICMPV6 && type >= ICMPV6_DEST_UNREACH &&
		       type <= ICMPV6_PARAMPROB;
	return p->about.proto == IPPROTO_ICMP &&
	       (type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB);
}

/* An echo's identifier stands for a port: that of the one who asks. */
static __always_inline void ebc_parse_icmp(struct ebc_packet *p, __u8 type, __be16 id)
{
	bool v6 = p->flags & EBC_PKT_V6;

	p->icmp_type = type;
	if (type == (v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO))
		p->about.flow.sport = id;
	else if (type == (v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY))
		p->about.flow.dport = id;
	else
		return;
	p->flags |= EBC_PKT_PORTS;
}

/* Of the packet: what the frame has behind it is padding, whatever it looks like. */
static __always_inline bool ebc_load_l4(struct __sk_buff *skb, const struct ebc_packet *p, void *to,
					__u32 size)
{
	return p->l4 + size <= EBC_IP_OFFSET + p->ip_len && !bpf_skb_load_bytes(skb, p->l4, to, size);
}

/* Ports, TCP flags, SCTP chunk, ICMP type. A first fragment too short for them is an attack on whoever
 * filters by them. */
static __always_inline bool ebc_parse_l4(struct __sk_buff *skb, struct ebc_packet *p)
{
	union {
		struct tcphdr tcp;
		struct udphdr udp;
		struct icmphdr icmp;
		__u8 sctp[13]; /* the common header, and the type of the first chunk */
	} h;

	if (p->flags & EBC_PKT_LATER)
		return true;
	if (p->about.proto == IPPROTO_TCP) {
		if (!ebc_load_l4(skb, p, &h, sizeof(h.tcp)) || h.tcp.doff < 5)
			return false;
		p->tcp_flags = ((__u8 *)&h)[13];
		p->headers = p->l4 - EBC_IP_OFFSET + h.tcp.doff * 4;
	} else if (p->about.proto == IPPROTO_UDP) {
		if (!ebc_load_l4(skb, p, &h, sizeof(h.udp)))
			return false;
		p->headers = p->l4 - EBC_IP_OFFSET + sizeof(h.udp);
	} else if (p->about.proto == IPPROTO_SCTP) {
		if (!ebc_load_l4(skb, p, &h, sizeof(h.sctp)))
			return false;
		p->sctp_chunk = h.sctp[12];
	} else {
		if (p->about.proto == (p->flags & EBC_PKT_V6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
			if (!ebc_load_l4(skb, p, &h, sizeof(h.icmp)))
				return false;
			ebc_parse_icmp(p, h.icmp.type, h.icmp.un.echo.id);
		}
		return true;
	}
	p->about.flow.sport = h.udp.source;
	p->about.flow.dport = h.udp.dest;
	p->flags |= EBC_PKT_PORTS;
	return true;
}

static __noinline int ebc_parse_headers(struct __sk_buff *skb, struct ebc_packet *p, __u8 hook)
{
	p->about.hook = hook;
	p->about.ifindex = skb->ifindex;
	p->about.len = skb->len;
	if (bpf_skb_load_bytes(skb, 0, &p->eth, sizeof(p->eth)))
		return EBC_DROP_MALFORMED;
	if (p->eth.h_proto == bpf_htons(ETH_P_IP)) {
		if (!ebc_parse_v4(skb, p))
			return EBC_DROP_MALFORMED;
	} else if (p->eth.h_proto == bpf_htons(ETH_P_IPV6)) {
		if (!ebc_parse_v6(skb, p))
			return EBC_DROP_MALFORMED;
	} else if (p->eth.h_proto == bpf_htons(ETH_P_ARP)) {
		p->flags |= EBC_PKT_ARP;
		return 0;
	} else {
		return EBC_DROP_PROTOCOL;
	}
	return ebc_parse_l4(skb, p) ? 0 : EBC_DROP_MALFORMED;
}

/* The packet in working memory, filled from its headers; *reason is 0, or why it cannot be understood. */
static __always_inline struct ebc_packet *ebc_parse(struct __sk_buff *skb, __u8 hook, int *reason)
{
	struct ebc_packet *p = ebc_scratch();

	if (!p)
		return NULL;
	__builtin_memset(p, 0, offsetof(struct ebc_packet, to));
	*reason = ebc_parse_headers(skb, p, hook);
	p->to = p->about.flow;
	return p;
}

#endif

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
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "packet.h"
#include "scratch.h"

#define EBC_V6_HEADERS_MAX 8 /* extension headers; more is an attack */

/*
 * Headers are copied out by bpf_skb_load_bytes, in one piece, and edited by bpf_skb_store_bytes, not through
 * skb->data: a program that writes through the pointer makes the kernel unshare the whole head of every
 * cloned skb before it runs, and each TCP segment is a clone. The copy also reaches what is not linear.
 */
static __always_inline bool ebc_load_head(struct __sk_buff *skb, struct ebc_packet *p)
{
	__u32 len = skb->len;

	if (len > EBC_HEAD)
		len = EBC_HEAD;
	/* The bounds once more, hidden from the optimizer, which knows them but does not tell the verifier.
	 */
	asm volatile("" : "+r"(len));
	if (len < EBC_IP_OFFSET || len > EBC_HEAD)
		return false;
	return !bpf_skb_load_bytes(skb, 0, p->head, len);
}

static __always_inline bool ebc_parse_v4(struct __sk_buff *skb, struct ebc_packet *p)
{
	const struct iphdr *ip = ebc_v4(p);
	__u16 fragment;

	if (skb->len < EBC_IP_OFFSET + EBC_V4_HEADER || ip->version != 4 || ip->ihl < 5)
		return false;
	p->ip_len = bpf_ntohs(ip->tot_len);
	/* 0 is a segment above 64 KiB (BIG TCP): its length is the skb's. */
	if (!p->ip_len)
		p->ip_len = skb->len - EBC_IP_OFFSET > 0xffff ? 0xffff : 0;
	if (p->ip_len < ip->ihl * 4 || (__u32)p->ip_len + EBC_IP_OFFSET > skb->len)
		return false;
	ebc_addr_from_v4(&p->about.flow.src, ip->saddr);
	ebc_addr_from_v4(&p->about.flow.dst, ip->daddr);
	p->about.proto = ip->protocol;
	p->ttl = ip->ttl;
	p->l4 = EBC_IP_OFFSET + ip->ihl * 4;
	p->fragment_id = ip->id;
	fragment = bpf_ntohs(ip->frag_off);
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
	__u32 at = EBC_IP_OFFSET + EBC_V6_HEADER;
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
	const struct ipv6hdr *ip = ebc_v6(p);
	__u32 len;

	if (skb->len < EBC_IP_OFFSET + EBC_V6_HEADER || ip->version != 6)
		return false;
	/* A mapped address on the wire would pass for the IPv4 address that it maps in every table. */
	if (ebc_addr_mapped(&ip->saddr) || ebc_addr_mapped(&ip->daddr))
		return false;
	len = bpf_ntohs(ip->payload_len);
	/* 0 with a hop-by-hop header is a jumbogram (BIG TCP); its length is the skb's. */
	if (!len && ip->nexthdr == IPPROTO_HOPOPTS)
		len = skb->len - EBC_IP_OFFSET - sizeof(*ip);
	len += sizeof(*ip);
	if (len + EBC_IP_OFFSET > skb->len)
		return false;
	p->ip_len = len > 0xffff ? 0xffff : len;
	__builtin_memcpy(&p->about.flow.src, &ip->saddr, 16);
	__builtin_memcpy(&p->about.flow.dst, &ip->daddr, 16);
	p->ttl = ip->hop_limit;
	p->flags |= EBC_PKT_V6 | EBC_PKT_WHOLE;
	return ebc_parse_v6_headers(skb, p, ip->nexthdr);
}

/* Protocols of Services. */
static __always_inline bool ebc_may_be_service(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* Protocols whose header begins with ports. */
static __always_inline bool ebc_has_ports(__u8 proto)
{
	return ebc_may_be_service(proto) || proto == IPPROTO_UDPLITE || proto == IPPROTO_DCCP;
}

static __always_inline bool ebc_is_icmp(const struct ebc_packet *p)
{
	return p->about.proto == (p->flags & EBC_PKT_V6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
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

/* Queries of IPv4 beside echo that have an identifier, each followed by its answer (RFC 792, RFC 950). */
static __always_inline bool ebc_v4_query(__u8 type)
{
	return type == ICMP_ECHO || type == ICMP_TIMESTAMP || type == ICMP_INFO_REQUEST ||
	       type == ICMP_ADDRESS;
}

static __always_inline bool ebc_v4_query_answer(__u8 type)
{
	return type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMPREPLY || type == ICMP_INFO_REPLY ||
	       type == ICMP_ADDRESSREPLY;
}

/* A query's identifier stands for a port: that of the sender of the query. */
static __always_inline void ebc_parse_icmp(struct ebc_packet *p, __u8 type, __be16 id)
{
	bool v6 = p->flags & EBC_PKT_V6;

	p->icmp_type = type;
	if (v6 ? type == ICMPV6_ECHO_REQUEST : ebc_v4_query(type)) {
		p->about.flow.sport = id;
		p->flags |= EBC_PKT_PORTS | EBC_PKT_ASKS;
	} else if (v6 ? type == ICMPV6_ECHO_REPLY : ebc_v4_query_answer(type)) {
		p->about.flow.dport = id;
		p->flags |= EBC_PKT_PORTS;
	}
}

/*
 * The first `size` bytes of the transport header, into p->l4_head. Of the packet: what the frame has behind
 * it is padding, whatever it looks like. Mostly they have been read already.
 */
static __always_inline bool ebc_load_l4(struct __sk_buff *skb, struct ebc_packet *p, __u32 size)
{
	if (p->l4 + size > EBC_IP_OFFSET + p->ip_len)
		return false;
	if (p->l4 == EBC_IP_OFFSET + EBC_V4_HEADER)
		__builtin_memcpy(p->l4_head, p->head + EBC_IP_OFFSET + EBC_V4_HEADER, EBC_L4_HEADER);
	else if (p->l4 == EBC_IP_OFFSET + EBC_V6_HEADER)
		__builtin_memcpy(p->l4_head, p->head + EBC_IP_OFFSET + EBC_V6_HEADER, EBC_L4_HEADER);
	else
		return !bpf_skb_load_bytes(skb, p->l4, p->l4_head, size);
	return true;
}

/* Ports, TCP flags, SCTP chunk, ICMP type. A first fragment too short for them is an attack on who filters by
 * them. */
static __always_inline bool ebc_parse_l4(struct __sk_buff *skb, struct ebc_packet *p)
{
	const struct tcphdr *tcp = (const struct tcphdr *)p->l4_head;
	const struct icmphdr *icmp = (const struct icmphdr *)p->l4_head;

	if (p->flags & EBC_PKT_LATER)
		return true;
	if (p->about.proto == IPPROTO_TCP) {
		if (!ebc_load_l4(skb, p, sizeof(*tcp)) || tcp->doff < 5)
			return false;
		p->tcp_flags = p->l4_head[13];
		p->headers = p->l4 - EBC_IP_OFFSET + tcp->doff * 4;
	} else if (p->about.proto == IPPROTO_UDP || p->about.proto == IPPROTO_UDPLITE) {
		if (!ebc_load_l4(skb, p, sizeof(struct udphdr)))
			return false;
		p->headers = p->l4 - EBC_IP_OFFSET + sizeof(struct udphdr);
	} else if (p->about.proto == IPPROTO_SCTP || p->about.proto == IPPROTO_DCCP) {
		/* SCTP: the common header, and the type of the first chunk. */
		if (!(p->about.proto == IPPROTO_SCTP ? ebc_load_l4(skb, p, 13) : ebc_load_l4(skb, p, 12)))
			return false;
		p->sctp_chunk = p->l4_head[12];
	} else {
		if (ebc_is_icmp(p)) {
			if (!ebc_load_l4(skb, p, sizeof(*icmp)))
				return false;
			ebc_parse_icmp(p, icmp->type, icmp->un.echo.id);
		}
		return true;
	}
	p->about.flow.sport = tcp->source;
	p->about.flow.dport = tcp->dest;
	p->flags |= EBC_PKT_PORTS;
	return true;
}

static __noinline int ebc_parse_headers(struct __sk_buff *skb, struct ebc_packet *p, __u8 hook)
{
	p->about.hook = hook;
	p->about.ifindex = skb->ifindex;
	p->about.len = skb->len;
	if (!ebc_load_head(skb, p))
		return EBC_DROP_MALFORMED;
	if (ebc_eth(p)->h_proto == bpf_htons(ETH_P_IP)) {
		if (!ebc_parse_v4(skb, p))
			return EBC_DROP_MALFORMED;
	} else if (ebc_eth(p)->h_proto == bpf_htons(ETH_P_IPV6)) {
		if (!ebc_parse_v6(skb, p))
			return EBC_DROP_MALFORMED;
	} else if (ebc_eth(p)->h_proto == bpf_htons(ETH_P_ARP)) {
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

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Writing into packets what was decided about them: once, at the end, with as few calls as there can be. */
#ifndef EBC_REWRITE_H
#define EBC_REWRITE_H

#include <stddef.h>

#include "parse.h"
#include "sctp.h"

enum ebc_write {
	EBC_WRITE_HOP = 1 << 0,	 /* one hop less, as the router would that this delivery replaces */
	EBC_WRITE_MACS = 1 << 1, /* those in p->head */
};

/* The difference that it makes to a checksum when `words` words of 32 bits become others. */
static __always_inline __u32 ebc_sum_change(const __be32 *from, const __be32 *to, int words)
{
	__u64 sum = 0;
	int i;

	_Pragma("unroll") for (i = 0; i < words; i++) sum += (__u64)(__u32)~from[i] + to[i];
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

/*
 * The difference of the 16-byte addresses is that of the 4-byte ones, since the mapped prefix is the same on
 * both sides. The addresses go through the pseudo header (BPF_F_PSEUDO_HDR: the kernel knows what to do when
 * the checksum is yet to be computed by the device or covers the whole packet), the ports through the body. A
 * UDP checksum of 0 means none and stays; one that becomes 0 is written as 0xffff (BPF_F_MARK_MANGLED_0, RFC
 * 768).
 */
static __always_inline int ebc_write_ports(struct __sk_buff *skb, const struct ebc_packet *p, __u32 diff)
{
	bool tcp = p->about.proto == IPPROTO_TCP;
	__u32 sum = p->l4 + (tcp ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
	__u64 flags = tcp ? 0 : BPF_F_MARK_MANGLED_0;
	__u32 old_ports, new_ports;

	__builtin_memcpy(&old_ports, &p->about.flow.sport, 4);
	__builtin_memcpy(&new_ports, &p->to.sport, 4);
	/* Of equal addresses the difference is one of the two zeros. */
	if (diff + 1 > 1 && bpf_l4_csum_replace(skb, sum, 0, diff, flags | BPF_F_PSEUDO_HDR))
		return -1;
	if (old_ports == new_ports)
		return 0;
	if (bpf_l4_csum_replace(skb, sum, old_ports, new_ports, flags | 4))
		return -1;
	return bpf_skb_store_bytes(skb, p->l4, &new_ports, 4, 0);
}

/* A query's identifier. ICMPv6 sums the pseudo header, ICMP does not. */
static __always_inline int ebc_write_icmp(struct __sk_buff *skb, const struct ebc_packet *p, __u32 diff)
{
	__u32 sum = p->l4 + offsetof(struct icmphdr, checksum);
	__be16 old_id = p->about.flow.sport | p->about.flow.dport, new_id = p->to.sport | p->to.dport;

	if ((p->flags & EBC_PKT_V6) && bpf_l4_csum_replace(skb, sum, 0, diff, BPF_F_PSEUDO_HDR))
		return -1;
	if (old_id == new_id)
		return 0;
	if (bpf_l4_csum_replace(skb, sum, old_id, new_id, 2))
		return -1;
	return bpf_skb_store_bytes(skb, p->l4 + offsetof(struct icmphdr, un.echo.id), &new_id, 2, 0);
}

/* What other protocols sum is not known, and does not include addresses: RFC 3948 and others see to that. */
static __always_inline int ebc_write_l4(struct __sk_buff *skb, const struct ebc_packet *p, __u32 diff)
{
	if (p->about.proto == IPPROTO_SCTP)
		return ebc_sctp_rewrite(skb);
	if (ebc_has_ports(p->about.proto))
		return ebc_write_ports(skb, p, diff);
	return ebc_is_icmp(p) ? ebc_write_icmp(skb, p, diff) : 0;
}

/*
 * The headers up to and including IPv4's, in one piece from the first byte that changes. Their checksum keeps
 * the sum over the whole packet what it is.
 */
static __always_inline int ebc_write_v4(struct __sk_buff *skb, struct ebc_packet *p, __u32 what, __u32 diff)
{
	struct iphdr *ip = ebc_v4(p);
	__u32 sum = (__u16)~ip->check;

	if (p->flags & EBC_PKT_CHANGED) {
		ip->saddr = p->to.src.w[3];
		ip->daddr = p->to.dst.w[3];
		sum += (diff & 0xffff) + (diff >> 16);
	}
	if (what & EBC_WRITE_HOP) {
		ip->ttl = p->ttl - 1;
		sum += (__u16)~bpf_htons(p->ttl << 8) + bpf_htons((p->ttl - 1) << 8);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
	if (what & EBC_WRITE_MACS)
		return bpf_skb_store_bytes(skb, 0, p->head, EBC_IP_OFFSET + EBC_V4_HEADER, 0);
	return bpf_skb_store_bytes(skb, EBC_IP_OFFSET + offsetof(struct iphdr, ttl), &ip->ttl,
				   EBC_V4_HEADER - offsetof(struct iphdr, ttl), 0);
}

/*
 * IPv6 has no checksum that would balance a change in one over the whole packet, so the kernel is told
 * (BPF_F_RECOMPUTE_CSUM), but not of what stands before it.
 */
static __always_inline int ebc_write_v6(struct __sk_buff *skb, struct ebc_packet *p, __u32 what)
{
	struct ipv6hdr *ip = ebc_v6(p);
	__u32 at = EBC_IP_OFFSET + offsetof(struct ipv6hdr, nexthdr);

	if ((what & EBC_WRITE_MACS) && bpf_skb_store_bytes(skb, 0, p->head, 2 * ETH_ALEN, 0))
		return -1;
	if (what & EBC_WRITE_HOP)
		ip->hop_limit = p->ttl - 1;
	if (p->flags & EBC_PKT_CHANGED) {
		__builtin_memcpy(&ip->saddr, &p->to.src, 32);
		return bpf_skb_store_bytes(skb, at, &ip->nexthdr,
					   EBC_V6_HEADER - offsetof(struct ipv6hdr, nexthdr),
					   BPF_F_RECOMPUTE_CSUM);
	}
	return what & EBC_WRITE_HOP ? bpf_skb_store_bytes(skb, at, &ip->nexthdr, 2, BPF_F_RECOMPUTE_CSUM) : 0;
}

/*
 * Makes p's packet one of the flow p->to, and what else is asked for (enum ebc_write). 0, or negative.
 * Lengths never change, so segmentation offload is left as it is. To be called once for a packet.
 */
static __noinline int ebc_write(struct __sk_buff *skb, struct ebc_packet *p, __u32 what)
{
	__u32 diff = 0;

	if (p->flags & EBC_PKT_CHANGED) {
		diff = ebc_sum_change((const __be32 *)&p->about.flow.src, (const __be32 *)&p->to.src, 8);
		if (!(p->flags & (EBC_PKT_EDITED | EBC_PKT_LATER)) && ebc_write_l4(skb, p, diff))
			return -1;
	} else if (!what) {
		return 0;
	}
	return p->flags & EBC_PKT_V6 ? ebc_write_v6(skb, p, what) : ebc_write_v4(skb, p, what, diff);
}

#endif

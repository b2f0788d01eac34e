/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Editing packets. One checksum path for both families; only where the addresses are written differs. */
#ifndef EBC_REWRITE_H
#define EBC_REWRITE_H

#include <stddef.h>

#include "parse.h"
#include "sctp.h"

/*
 * The difference of the 16-byte addresses is that of the 4-byte ones, since the mapped prefix is the same on
 * both sides. The addresses go through the pseudo header (BPF_F_PSEUDO_HDR: the kernel knows what to do when
 * the checksum is yet to be computed by the device or covers the whole packet), the ports through the body. A
 * UDP checksum of 0 means none and stays; one that becomes 0 is written as 0xffff (BPF_F_MARK_MANGLED_0, RFC
 * 768).
 */
static __always_inline int ebc_rewrite_ports(struct __sk_buff *skb, const struct ebc_packet *p,
					     const struct ebc_flow *to, __u32 diff)
{
	bool udp = p->about.proto == IPPROTO_UDP;
	__u32 sum = p->l4 + (udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check));
	__u64 flags = udp ? BPF_F_MARK_MANGLED_0 : 0;
	__u32 old_ports, new_ports;

	__builtin_memcpy(&old_ports, &p->about.flow.sport, 4);
	__builtin_memcpy(&new_ports, &to->sport, 4);
	if (bpf_l4_csum_replace(skb, sum, 0, diff, flags | BPF_F_PSEUDO_HDR))
		return -1;
	if (old_ports == new_ports)
		return 0;
	if (bpf_l4_csum_replace(skb, sum, old_ports, new_ports, flags | 4))
		return -1;
	return bpf_skb_store_bytes(skb, p->l4, &new_ports, 4, 0);
}

/* An echo's identifier. ICMPv6 sums the pseudo header, ICMP does not. */
static __always_inline int ebc_rewrite_echo(struct __sk_buff *skb, const struct ebc_packet *p,
					    const struct ebc_flow *to, __u32 diff)
{
	__u32 sum = p->l4 + offsetof(struct icmphdr, checksum);
	__be16 old_id = p->about.flow.sport | p->about.flow.dport, new_id = to->sport | to->dport;

	if ((p->flags & EBC_PKT_V6) && bpf_l4_csum_replace(skb, sum, 0, diff, BPF_F_PSEUDO_HDR))
		return -1;
	if (old_id == new_id)
		return 0;
	if (bpf_l4_csum_replace(skb, sum, old_id, new_id, 2))
		return -1;
	return bpf_skb_store_bytes(skb, p->l4 + offsetof(struct icmphdr, un.echo.id), &new_id, 2, 0);
}

static __always_inline int ebc_rewrite_l4(struct __sk_buff *skb, const struct ebc_packet *p,
					  const struct ebc_flow *to, __u32 diff)
{
	if (p->about.proto == IPPROTO_TCP || p->about.proto == IPPROTO_UDP)
		return ebc_rewrite_ports(skb, p, to, diff);
	if (p->about.proto == IPPROTO_SCTP)
		return ebc_sctp_rewrite(skb, p, to);
	return ebc_rewrite_echo(skb, p, to, diff);
}

/*
 * Makes p's packet one of the flow p->to. 0, or negative. Lengths never change, so segmentation offload is
 * left as it is. Writing IPv6 addresses tells the kernel (BPF_F_RECOMPUTE_CSUM): in a checksum over the whole
 * packet, the header has no checksum of its own that would balance the change as IPv4's does.
 */
__noinline int ebc_rewrite(struct __sk_buff *skb)
{
	const struct ebc_packet *p = ebc_scratch();
	const struct ebc_flow *from, *to;
	__s64 diff;

	if (!p)
		return -1;
	from = &p->about.flow;
	to = &p->to;
	if (!(p->flags & EBC_PKT_CHANGED) || (p->flags & EBC_PKT_EDITED))
		return 0;
	diff = bpf_csum_diff((__be32 *)&from->src, 32, (__be32 *)&to->src, 32, 0);
	if (diff < 0)
		return -1;
	if (!(p->flags & EBC_PKT_LATER) && ebc_rewrite_l4(skb, p, to, diff))
		return -1;
	if (p->flags & EBC_PKT_V6)
		return bpf_skb_store_bytes(skb, EBC_IP_OFFSET + offsetof(struct ipv6hdr, saddr), &to->src, 32,
					   BPF_F_RECOMPUTE_CSUM);
	__be32 both[2] = {to->src.w[3], to->dst.w[3]};

	if (bpf_l3_csum_replace(skb, EBC_IP_OFFSET + offsetof(struct iphdr, check), 0, diff, 0))
		return -1;
	return bpf_skb_store_bytes(skb, EBC_IP_OFFSET + offsetof(struct iphdr, saddr), both, sizeof(both), 0);
}

/* One hop less, as the router would that this delivery replaces; so loops end and traceroute tells the truth.
 */
static __always_inline int ebc_decrement_ttl(struct __sk_buff *skb, const struct ebc_packet *p)
{
	__u8 ttl = p->ttl - 1;
	__be16 from = bpf_htons(p->ttl << 8), to = bpf_htons(ttl << 8);

	if (p->flags & EBC_PKT_V6)
		return bpf_skb_store_bytes(skb, EBC_IP_OFFSET + offsetof(struct ipv6hdr, hop_limit), &ttl, 1,
					   BPF_F_RECOMPUTE_CSUM);
	if (bpf_l3_csum_replace(skb, EBC_IP_OFFSET + offsetof(struct iphdr, check), from, to, 2))
		return -1;
	return bpf_skb_store_bytes(skb, EBC_IP_OFFSET + offsetof(struct iphdr, ttl), &ttl, 1, 0);
}

#endif

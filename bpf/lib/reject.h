/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Refusing at once: the packet is turned into an ICMP error and goes back to who sent it. */
#ifndef EBC_REJECT_H
#define EBC_REJECT_H

#include <linux/icmp.h>
#include <linux/icmpv6.h>

#include "door.h"
#include "route.h"

/* Quoted bytes of the refused packet: enough for the longest IPv4 header or an IPv6 one with extensions, and
 * ports. */
#define EBC_QUOTE_MAX 96
#define EBC_REJECT_TTL 64

enum ebc_reject_cause {
	EBC_REJECT_PORT = 0, /* no listener */
	EBC_REJECT_SIZE = 1, /* too big; info is the size that would fit */
	EBC_REJECT_HOPS = 2, /* no hop left */
};

struct ebc_icmp_error {
	__u8 type;
	__u8 code;
	__sum16 check;
	__be32 info;
	__u8 quote[EBC_QUOTE_MAX];
};

static __always_inline __sum16 ebc_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline int ebc_reject_v4(struct __sk_buff *skb, const struct ebc_packet *p, __u32 icmp_len)
{
	struct iphdr ip = {
	    .version = 4,
	    .ihl = 5,
	    .tot_len = bpf_htons(sizeof(ip) + icmp_len),
	    .frag_off = bpf_htons(0x4000), /* never to be fragmented */
	    .ttl = EBC_REJECT_TTL,
	    .protocol = IPPROTO_ICMP,
	    .saddr = p->about.flow.dst.w[3],
	    .daddr = p->about.flow.src.w[3],
	};

	ip.check = ebc_fold(bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0));
	return bpf_skb_store_bytes(skb, EBC_IP_OFFSET, &ip, sizeof(ip), 0);
}

static __always_inline int ebc_reject_v6(struct __sk_buff *skb, const struct ebc_packet *p, __u32 icmp_len)
{
	struct ipv6hdr ip = {.version = 6,
			     .payload_len = bpf_htons(icmp_len),
			     .nexthdr = IPPROTO_ICMPV6,
			     .hop_limit = EBC_REJECT_TTL};

	__builtin_memcpy(&ip.saddr, &p->about.flow.dst, 16);
	__builtin_memcpy(&ip.daddr, &p->about.flow.src, 16);
	return bpf_skb_store_bytes(skb, EBC_IP_OFFSET, &ip, sizeof(ip), 0);
}

/* ICMPv6 sums the pseudo header too: addresses (in either order), length, next header. */
static __always_inline __u32 ebc_reject_seed(const struct ebc_packet *p, __u32 icmp_len)
{
	__be32 rest[2] = {bpf_htonl(icmp_len), bpf_htonl(IPPROTO_ICMPV6)};

	if (!(p->flags & EBC_PKT_V6))
		return 0;
	return bpf_csum_diff(NULL, 0, (__be32 *)&p->about.flow.src, 32,
			     bpf_csum_diff(NULL, 0, rest, sizeof(rest), 0));
}

static __always_inline void ebc_reject_cause(struct ebc_icmp_error *icmp, bool v6, int cause, __u32 info)
{
	if (cause == EBC_REJECT_SIZE) {
		icmp->type = v6 ? ICMPV6_PKT_TOOBIG : ICMP_DEST_UNREACH;
		icmp->code = v6 ? 0 : ICMP_FRAG_NEEDED;
		icmp->info = bpf_htonl(info); /* in IPv4 16 bits, the last */
	} else if (cause == EBC_REJECT_HOPS) {
		icmp->type = v6 ? ICMPV6_TIME_EXCEED : ICMP_TIME_EXCEEDED;
	} else {
		icmp->type = v6 ? ICMPV6_DEST_UNREACH : ICMP_DEST_UNREACH;
		icmp->code = v6 ? ICMPV6_PORT_UNREACH : ICMP_PORT_UNREACH;
	}
}

/*
 * Back to where it came from: into the pod, to the node's own socket by the device's receiving side, to the
 * network. From a tunnel's device there is no receiving side for it, as only nodes are heard there.
 */
static __always_inline int ebc_turn_back(struct __sk_buff *skb, struct ebc_packet *p)
{
	if (p->about.hook == EBC_HOOK_OVERLAY_EGRESS || p->about.hook == EBC_HOOK_POD_INGRESS)
		return TC_ACT_SHOT;
	if (p->about.hook == EBC_HOOK_POD_EGRESS)
		return ebc_door(skb, p, EBC_WAY_BACK, 0, p->about.ifindex);
	if (p->about.hook == EBC_HOOK_HOST_EGRESS)
		return bpf_redirect(p->about.ifindex, BPF_F_INGRESS);
	if (p->about.hook == EBC_HOOK_UPLINK_INGRESS)
		ebc_mark(skb);
	return bpf_redirect(p->about.ifindex, 0);
}

/*
 * TC_ACT_REDIRECT, or TC_ACT_SHOT where no answer is due or possible. The answer comes from the address that
 * was asked, as from a host without a listener; connect() fails with ECONNREFUSED. Not static, so that the
 * verifier follows it once; it finds the packet in the working memory.
 */
__noinline int ebc_reject(struct __sk_buff *skb, __u32 cause, __u32 info)
{
	struct ebc_packet *p = ebc_scratch();
	struct ebc_icmp_error icmp = {};
	__u32 header, quote;
	struct ebc_cpu *cpu;
	struct ethhdr eth;

	if (!p)
		return TC_ACT_SHOT;
	cpu = ebc_scratch_cpu(p);
	header = p->flags & EBC_PKT_V6 ? EBC_V6_HEADER : EBC_V4_HEADER;
	quote = p->ip_len;

	/* After a refused reset, a later fragment and an error no answer is due (RFC 1122, 3.2.2). */
	if ((p->flags & EBC_PKT_LATER) || (p->tcp_flags & EBC_TCP_RST) || ebc_is_icmp_error(p))
		return TC_ACT_SHOT;
	if (!ebc_ration(&cpu->buckets[cause == EBC_REJECT_PORT ? EBC_RATION_REFUSAL : EBC_RATION_ERROR],
			ebc_config.refusal_rate))
		return TC_ACT_SHOT;
	if (quote > EBC_QUOTE_MAX)
		quote = EBC_QUOTE_MAX;
	quote &= ~3u; /* whole words, which is what bpf_csum_diff takes */
	/*
	 * The bounds again, hidden from the optimizer, which knows them but does not tell the verifier; and
	 * one by one, since it would make one comparison of a difference of them, from which older verifiers
	 * (Linux 6.1) learn nothing about the length itself.
	 */
	asm volatile("" : "+r"(quote));
	if (quote < sizeof(struct iphdr))
		return TC_ACT_SHOT;
	asm volatile("" : "+r"(quote));
	if (quote > EBC_QUOTE_MAX || bpf_skb_load_bytes(skb, EBC_IP_OFFSET, icmp.quote, quote))
		return TC_ACT_SHOT;
	ebc_reject_cause(&icmp, p->flags & EBC_PKT_V6, cause, info);
	icmp.check =
	    ebc_fold(bpf_csum_diff(NULL, 0, (__be32 *)&icmp, sizeof(icmp), ebc_reject_seed(p, 8 + quote)));
	__builtin_memcpy(eth.h_dest, ebc_eth(p)->h_source, ETH_ALEN);
	__builtin_memcpy(eth.h_source, ebc_eth(p)->h_dest, ETH_ALEN);
	eth.h_proto = ebc_eth(p)->h_proto;
	if (bpf_skb_change_tail(skb, EBC_IP_OFFSET + header + 8 + quote, 0) ||
	    bpf_skb_store_bytes(skb, 0, &eth, sizeof(eth), 0) ||
	    (p->flags & EBC_PKT_V6 ? ebc_reject_v6(skb, p, 8 + quote) : ebc_reject_v4(skb, p, 8 + quote)) ||
	    bpf_skb_store_bytes(skb, EBC_IP_OFFSET + header, &icmp, 8 + quote, 0))
		return TC_ACT_SHOT;
	return ebc_turn_back(skb, p);
}

/* A drop of which the sender hears, where one is due. */
static __noinline int ebc_deny(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	if (reason == EBC_TAKEN)
		return TC_ACT_SHOT;
	ebc_drop(&p->about, reason);
	if (reason == EBC_DROP_NO_BACKEND || reason == EBC_DROP_PORT)
		return ebc_reject(skb, EBC_REJECT_PORT, 0);
	if (reason == EBC_DROP_TOO_BIG)
		return ebc_reject(skb, EBC_REJECT_SIZE, ebc_route_mtu(skb, p));
	return TC_ACT_SHOT;
}

/* What cannot go on as it was translated: answered here. */
static __noinline int ebc_return(struct __sk_buff *skb, struct ebc_packet *p, int cause, __u32 info)
{
	ebc_drop(&p->about, cause == EBC_REJECT_SIZE ? EBC_DROP_TOO_BIG : EBC_DROP_HOP_LIMIT);
	return ebc_reject(skb, cause, info);
}

#endif

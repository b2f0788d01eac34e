/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ICMP errors about translated packets. Who gets one looks for the connection in the packet that it quotes,
 * and knows that packet as it was before translation; so that is what the quote must become.
 */
#ifndef EBC_ICMP_ERROR_H
#define EBC_ICMP_ERROR_H

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <stddef.h>

#include "conntrack_lookup.h"
#include "parse.h"

#define EBC_ICMP_HEADER 8
#define EBC_QUOTE_TRANSPORT 8	/* what every quote has of the transport header (RFC 792) */
#define EBC_QUOTE_HEADERS_MAX 4 /* extension headers of a quoted packet; with more it is left alone */
#define EBC_QUOTE_TCP_CHECK 16U /* often not quoted */

/* Where the quoted packet is, and the key of what comes back to it: its mirror image. */
struct ebc_quote {
	struct ebc_ct_key key;
	__u32 ip; /* offsets in the frame */
	__u32 l4;
	__be16 head[EBC_QUOTE_TRANSPORT / 2];
	__sum16 check; /* of the IPv4 header */
	__u8 echo;     /* place of the ICMP identifier: 1 sport (request), 2 dport (reply) */
	__u8 pad0;
};

/* The checksum after the bytes below it changed by diff (RFC 1624). */
static __always_inline __sum16 ebc_csum_edit(__sum16 check, __u32 diff)
{
	__u32 sum = (__u16)~check + (diff & 0xffff) + (diff >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline __u32 ebc_csum_change(__sum16 from, __sum16 to)
{
	return (__u32)(__u16)~from + to;
}

static __always_inline bool ebc_quote_v4(struct __sk_buff *skb, struct ebc_quote *q)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, q->ip, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5 ||
	    (ip.frag_off & bpf_htons(0x1fff)))
		return false;
	ebc_addr_from_v4(&q->key.src, ip.daddr);
	ebc_addr_from_v4(&q->key.dst, ip.saddr);
	q->key.proto = ip.protocol;
	q->check = ip.check;
	q->l4 = q->ip + ip.ihl * 4;
	return true;
}

static __always_inline bool ebc_quote_v6(struct __sk_buff *skb, struct ebc_quote *q)
{
	struct {
		__u8 next;
		__u8 len;
		__be16 rest;
	} h;
	struct ipv6hdr ip;
	__u32 at;
	int i;

	if (bpf_skb_load_bytes(skb, q->ip, &ip, sizeof(ip)) || ip.version != 6 ||
	    ebc_addr_mapped(&ip.saddr) || ebc_addr_mapped(&ip.daddr))
		return false;
	__builtin_memcpy(&q->key.src, &ip.daddr, 16);
	__builtin_memcpy(&q->key.dst, &ip.saddr, 16);
	h.next = ip.nexthdr;
	at = q->ip + sizeof(ip);
	for (i = 0; i < EBC_QUOTE_HEADERS_MAX; i++) {
		__u8 this = h.next;

		if (this != IPPROTO_HOPOPTS && this != IPPROTO_ROUTING && this != IPPROTO_DSTOPTS &&
		    this != IPPROTO_FRAGMENT && this != IPPROTO_AH)
			break;
		if (bpf_skb_load_bytes(skb, at, &h, sizeof(h)))
			return false;
		if (this == IPPROTO_FRAGMENT) {
			if (h.rest & bpf_htons(0xfff8))
				return false;
			at += 8;
		} else {
			at += this == IPPROTO_AH ? (h.len + 2) * 4 : (h.len + 1) * 8;
		}
	}
	q->key.proto = h.next;
	q->l4 = at;
	return true;
}

/* False where nothing is quoted that could be a flow of ours. */
static __always_inline bool ebc_quote_ports(struct __sk_buff *skb, const struct ebc_packet *p,
					    struct ebc_quote *q)
{
	__u8 proto = q->key.proto;
	__u8 type;

	/* Within the packet, not in the frame's padding. */
	if (q->l4 + EBC_QUOTE_TRANSPORT > EBC_IP_OFFSET + p->ip_len ||
	    bpf_skb_load_bytes(skb, q->l4, q->head, sizeof(q->head)))
		return false;
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP) {
		q->key.sport = q->head[1];
		q->key.dport = q->head[0];
		return true;
	}
	if (proto != (p->flags & EBC_PKT_V6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	type = *(__u8 *)q->head;
	if (type == (p->flags & EBC_PKT_V6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO)) {
		q->echo = 1;
		q->key.dport = q->head[2];
	} else if (type == (p->flags & EBC_PKT_V6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY)) {
		q->echo = 2;
		q->key.sport = q->head[2];
	} else {
		return false;
	}
	return true;
}

/*
 * Writes ports and transport checksum of the quoted packet, whose addresses change by `addresses`. *diff
 * becomes the sum of what was changed here. A checksum that was left to a device is not a checksum; what
 * becomes of it is nothing anybody looks at. SCTP's is not corrected either: what finds the association are
 * ports and tag.
 */
static __always_inline int ebc_quote_edit_transport(struct __sk_buff *skb, const struct ebc_packet *p,
						    const struct ebc_quote *q, const struct ebc_flow *to,
						    __u32 addresses, __u32 *diff)
{
	__be16 head[EBC_QUOTE_TRANSPORT / 2];
	__u32 ports;
	__sum16 check, edited;

	__builtin_memcpy(head, q->head, sizeof(head));
	if (q->echo) {
		head[2] = q->echo == 1 ? to->dport : to->sport;
		ports = ebc_csum_change(q->head[2], head[2]);
		head[1] = ebc_csum_edit(head[1], ports + (p->flags & EBC_PKT_V6 ? addresses : 0));
	} else {
		head[0] = to->dport;
		head[1] = to->sport;
		ports = ebc_csum_change(q->head[0], head[0]) + ebc_csum_change(q->head[1], head[1]);
		if (q->key.proto == IPPROTO_UDP && head[3]) {
			head[3] = ebc_csum_edit(head[3], ports + addresses);
			if (!head[3])
				head[3] = 0xffff;
		}
	}
	*diff = bpf_csum_diff((__be32 *)q->head, sizeof(head), (__be32 *)head, sizeof(head), 0);
	if (bpf_skb_store_bytes(skb, q->l4, head, sizeof(head), BPF_F_RECOMPUTE_CSUM))
		return -1;
	if (q->key.proto != IPPROTO_TCP || q->l4 + EBC_QUOTE_TCP_CHECK + 2 > EBC_IP_OFFSET + p->ip_len ||
	    bpf_skb_load_bytes(skb, q->l4 + EBC_QUOTE_TCP_CHECK, &check, sizeof(check)))
		return 0;
	edited = ebc_csum_edit(check, ports + addresses);
	*diff += ebc_csum_change(check, edited);
	return bpf_skb_store_bytes(skb, q->l4 + EBC_QUOTE_TCP_CHECK, &edited, sizeof(edited),
				   BPF_F_RECOMPUTE_CSUM);
}

/* Addresses of an IP header at an offset; IPv4's checksum follows them. */
static __always_inline int ebc_edit_addresses(struct __sk_buff *skb, bool v6, __u32 at,
					      const struct ebc_addr *src, const struct ebc_addr *dst,
					      __u32 diff)
{
	struct {
		__sum16 check;
		__be32 src;
		__be32 dst;
	} __attribute__((packed)) v4;

	if (v6)
		return bpf_skb_store_bytes(skb, at + offsetof(struct ipv6hdr, saddr), src, sizeof(*src),
					   BPF_F_RECOMPUTE_CSUM) ||
		       bpf_skb_store_bytes(skb, at + offsetof(struct ipv6hdr, daddr), dst, sizeof(*dst),
					   BPF_F_RECOMPUTE_CSUM);
	at += offsetof(struct iphdr, check);
	if (bpf_skb_load_bytes(skb, at, &v4.check, sizeof(v4.check)))
		return -1;
	v4.check = ebc_csum_edit(v4.check, diff);
	v4.src = src->w[3];
	v4.dst = dst->w[3];
	return bpf_skb_store_bytes(skb, at, &v4, sizeof(v4), BPF_F_RECOMPUTE_CSUM);
}

/*
 * Everything that changes: `entry` is what the connection's entry makes of packets in the error's direction,
 * *out the error's own addresses after translation. In IPv4 the quoted addresses and their header's checksum
 * cancel out of the ICMP checksum, in IPv6 the quoted addresses and the pseudo header's count.
 */
static __noinline int ebc_icmp_error_edit(struct __sk_buff *skb, const struct ebc_packet *p,
					  const struct ebc_quote *q, const struct ebc_flow *entry,
					  const struct ebc_flow *out)
{
	__u32 inner = bpf_csum_diff((__be32 *)&q->key.src, 32, (__be32 *)&entry->src, 32, 0);
	__u32 outer = bpf_csum_diff((__be32 *)&p->about.flow.src, 32, (__be32 *)&out->src, 32, 0);
	__u32 at = p->l4 + offsetof(struct icmphdr, checksum);
	bool v6 = p->flags & EBC_PKT_V6;
	__sum16 check;
	__u32 diff;

	/* Both are sums of 16 bits, folded, whatever the kernel returns: what follows adds several. */
	inner = (inner & 0xffff) + (inner >> 16);
	outer = (outer & 0xffff) + (outer >> 16);
	if (bpf_skb_load_bytes(skb, at, &check, sizeof(check)) ||
	    ebc_quote_edit_transport(skb, p, q, entry, inner, &diff))
		return -1;
	diff = (diff & 0xffff) + (diff >> 16);
	if (v6)
		diff += inner + outer;
	check = ebc_csum_edit(check, diff);
	if (bpf_skb_store_bytes(skb, at, &check, sizeof(check), BPF_F_RECOMPUTE_CSUM) ||
	    ebc_edit_addresses(skb, v6, q->ip, &entry->dst, &entry->src, inner))
		return -1;
	return ebc_edit_addresses(skb, v6, EBC_IP_OFFSET, &out->src, &out->dst, outer);
}

/*
 * An ICMP error on its way. EBC_REASON_FORWARDED: not about a connection of ours, nothing was touched. REPLY
 * or SERVICE: the packet has been edited, completely, and *out are its addresses now. Else a drop reason.
 *
 * The quoted packet is one that left us translated. The error goes the other way, as answers to that packet
 * do; so the entry for those answers, whose key is the mirror image of the quoted packet, says what both
 * become: the quote the mirror image of what the entry makes, the error's destination the entry's. Its source
 * is hidden only if it is the peer's, who must not appear; a router's stays, and tells the truth. Whoever
 * invents such an error gets no further than with any other: its receiver judges what is quoted, and the
 * source is replaced for nobody but the peer. The connection is not kept alive by it.
 */
static __noinline int ebc_icmp_error(struct __sk_buff *skb, struct ebc_packet *p, struct ebc_flow *out)
{
	struct ebc_quote q = {.ip = p->l4 + EBC_ICMP_HEADER};
	const struct ebc_ct *ct;
	struct ebc_flow entry;
	__u16 flags;

	if (!(p->flags & EBC_PKT_V6 ? ebc_quote_v6(skb, &q) : ebc_quote_v4(skb, &q)) ||
	    !ebc_quote_ports(skb, p, &q))
		return EBC_REASON_FORWARDED;
	/* An error goes to the sender of what it quotes. */
	if (!ebc_addr_eq(&p->about.flow.dst, &q.key.dst))
		return EBC_REASON_FORWARDED;
	ct = ebc_ct_find(&q.key, bpf_ktime_get_ns());
	if (!ct)
		return EBC_REASON_FORWARDED;
	flags = ct->flags;
	p->about.service_id = ct->service_id;
	entry.src = ct->src;
	entry.dst = ct->dst;
	entry.sport = ct->sport;
	entry.dport = ct->dport;
	out->src = ebc_addr_eq(&p->about.flow.src, &q.key.src) ? entry.src : p->about.flow.src;
	out->dst = entry.dst;
	out->sport = 0;
	out->dport = 0;
	if (ebc_icmp_error_edit(skb, p, &q, &entry, out))
		return EBC_DROP_REWRITE;
	p->flags |= EBC_PKT_EDITED;
	p->key = q.key;
	return flags & EBC_CT_REPLY ? EBC_REASON_REPLY : EBC_REASON_SERVICE;
}

#endif

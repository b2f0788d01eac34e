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

#include "conntrack.h"

#define EBC_ICMP_HEADER 8
#define EBC_QUOTE_TRANSPORT 8	/* what every quote has of the transport header (RFC 792) */
#define EBC_QUOTE_HEADERS_MAX 4 /* extension headers of a quoted packet; with more it is left alone */
#define EBC_QUOTE_TCP_CHECK 16U /* often not quoted */

/* Where the quoted packet has what tells its flow from others. */
enum ebc_quote_place {
	EBC_QUOTE_PORTS = 0,
	EBC_QUOTE_QUERY = 1,  /* an ICMP identifier, which stands for sport */
	EBC_QUOTE_ANSWER = 2, /* the same, for dport */
	EBC_QUOTE_NO_PORTS = 3,
};

/* Where the quoted packet is, and the key of what comes back to it: its mirror image. */
struct ebc_quote {
	struct ebc_ct_key key;
	__u32 ip; /* offsets in the frame */
	__u32 l4;
	__be16 head[EBC_QUOTE_TRANSPORT / 2];
	__sum16 check; /* of the IPv4 header */
	__u8 place;    /* enum ebc_quote_place */
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
	if (ebc_has_ports(proto)) {
		q->key.sport = q->head[1];
		q->key.dport = q->head[0];
		return true;
	}
	if (proto != (p->flags & EBC_PKT_V6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		q->place = EBC_QUOTE_NO_PORTS;
		return true;
	}
	type = *(__u8 *)q->head;
	if (p->flags & EBC_PKT_V6 ? type == ICMPV6_ECHO_REQUEST : ebc_v4_query(type)) {
		q->place = EBC_QUOTE_QUERY;
		q->key.dport = q->head[2];
	} else if (p->flags & EBC_PKT_V6 ? type == ICMPV6_ECHO_REPLY : ebc_v4_query_answer(type)) {
		q->place = EBC_QUOTE_ANSWER;
		q->key.sport = q->head[2];
	} else {
		return false;
	}
	return true;
}

/* Those whose checksum is where UDP's is. */
static __always_inline bool ebc_sums_like_udp(__u8 proto)
{
	return proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE || proto == IPPROTO_DCCP;
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

	*diff = 0;
	if (q->place == EBC_QUOTE_NO_PORTS)
		return 0;
	__builtin_memcpy(head, q->head, sizeof(head));
	if (q->place) {
		head[2] = q->place == EBC_QUOTE_QUERY ? to->dport : to->sport;
		ports = ebc_csum_change(q->head[2], head[2]);
		head[1] = ebc_csum_edit(head[1], ports + (p->flags & EBC_PKT_V6 ? addresses : 0));
	} else {
		head[0] = to->dport;
		head[1] = to->sport;
		ports = ebc_csum_change(q->head[0], head[0]) + ebc_csum_change(q->head[1], head[1]);
		if (ebc_sums_like_udp(q->key.proto) && head[3]) {
			head[3] = ebc_csum_edit(head[3], ports + addresses);
			if (!head[3])
				head[3] = 0xffff;
		}
	}
	*diff = bpf_csum_diff((__be32 *)q->head, sizeof(head), (__be32 *)head, sizeof(head), 0);
	/* Folded, whatever the kernel returns: more is added. */
	*diff = (*diff & 0xffff) + (*diff >> 16);
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

/* The quoted addresses; in IPv4 their header's checksum stands before them. */
static __always_inline int ebc_quote_edit_addresses(struct __sk_buff *skb, bool v6, const struct ebc_quote *q,
						    const struct ebc_flow *entry, __u32 diff)
{
	struct {
		__sum16 check;
		__be32 src;
		__be32 dst;
	} __attribute__((packed)) v4;

	if (v6)
		return bpf_skb_store_bytes(skb, q->ip + offsetof(struct ipv6hdr, saddr), &entry->dst,
					   sizeof(entry->dst), BPF_F_RECOMPUTE_CSUM) ||
		       bpf_skb_store_bytes(skb, q->ip + offsetof(struct ipv6hdr, daddr), &entry->src,
					   sizeof(entry->src), BPF_F_RECOMPUTE_CSUM);
	v4.check = ebc_csum_edit(q->check, diff);
	v4.src = entry->dst.w[3];
	v4.dst = entry->src.w[3];
	return bpf_skb_store_bytes(skb, q->ip + offsetof(struct iphdr, check), &v4, sizeof(v4),
				   BPF_F_RECOMPUTE_CSUM);
}

/*
 * All that changes but the error's own addresses, which are p->to's: `entry` is what the connection's entry
 * makes of packets in the error's direction. In IPv4 the quoted addresses and their header's checksum cancel
 * out of the ICMP checksum, in IPv6 the quoted addresses and the pseudo header's count.
 */
static __noinline int ebc_icmp_error_edit(struct __sk_buff *skb, const struct ebc_packet *p,
					  const struct ebc_quote *q, const struct ebc_flow *entry)
{
	__u32 inner = bpf_csum_diff((__be32 *)&q->key.src, 32, (__be32 *)&entry->src, 32, 0);
	__u32 outer = bpf_csum_diff((__be32 *)&p->about.flow.src, 32, (__be32 *)&p->to.src, 32, 0);
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
	if (bpf_skb_store_bytes(skb, at, &check, sizeof(check), BPF_F_RECOMPUTE_CSUM))
		return -1;
	return ebc_quote_edit_addresses(skb, v6, q, entry, inner);
}

/*
 * An ICMP error on its way. EBC_REASON_FORWARDED: not about a connection of ours, nothing was touched. REPLY
 * or SERVICE: what it quotes has been edited, and p->to are its own addresses now. Else a drop reason.
 *
 * The quoted packet is one that left us translated. The error goes the other way, as answers to that packet
 * do; so the entry for those answers, whose key is the mirror image of the quoted packet, says what both
 * become: the quote the mirror image of what the entry makes, the error's destination the entry's. Its source
 * is hidden only if it is the peer's, which must not appear; a router's stays, and tells the truth. An
 * invented error gets no further than any other: its receiver judges what is quoted, and the source is
 * replaced for none but the peer. The connection is not kept alive by it.
 */
static __noinline int ebc_icmp_error(struct __sk_buff *skb, struct ebc_packet *p)
{
	struct ebc_quote q = {.ip = p->l4 + EBC_ICMP_HEADER};
	struct ebc_flow entry;

	if (!(p->flags & EBC_PKT_V6 ? ebc_quote_v6(skb, &q) : ebc_quote_v4(skb, &q)) ||
	    !ebc_quote_ports(skb, p, &q))
		return EBC_REASON_FORWARDED;
	/* An error goes to the sender of what it quotes. */
	if (!ebc_addr_eq(&p->about.flow.dst, &q.key.dst) || !ebc_ct_find(&q.key, &p->ct, &p->now))
		return EBC_REASON_FORWARDED;
	p->about.service_id = p->ct.service_id;
	p->quoted = q.key;
	p->flags |= EBC_PKT_TRACKED;
	if (p->ct.flags & EBC_CT_STACK)
		p->flags |= EBC_PKT_STACK;
	ebc_ct_flow(&p->ct, &entry);
	if (ebc_addr_eq(&p->about.flow.src, &q.key.src))
		p->to.src = entry.src;
	p->to.dst = entry.dst;
	/* Of what is tracked and not translated there is nothing to write. */
	if (ebc_addr_eq(&entry.src, &q.key.src) && ebc_addr_eq(&entry.dst, &q.key.dst) &&
	    entry.sport == q.key.sport && entry.dport == q.key.dport)
		return p->ct.flags & EBC_CT_REPLY ? EBC_REASON_REPLY : EBC_REASON_FORWARDED;
	if (ebc_icmp_error_edit(skb, p, &q, &entry))
		return EBC_DROP_REWRITE;
	p->flags |= EBC_PKT_EDITED | EBC_PKT_CHANGED;
	ebc_become(p);
	return p->ct.flags & EBC_CT_REPLY ? EBC_REASON_REPLY : EBC_REASON_SERVICE;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Known connections: what a packet does to their state. */
#ifndef EBC_CONNTRACK_H
#define EBC_CONNTRACK_H

#include "conntrack_load.h"
#include "conntrack_lookup.h"
#include "resolve.h"
#include "sctp.h"

#define EBC_EEXIST 17
#define EBC_UDP_STREAM_AGE (2 * EBC_SECOND) /* nf_conntrack_proto_udp.c, stream_ts */

/* Does the packet ask for a new connection, and can be nothing else? */
static __always_inline bool ebc_opens(const struct ebc_packet *p)
{
	if (p->about.proto == IPPROTO_SCTP)
		return p->sctp_chunk == EBC_SCTP_INIT;
	return (p->tcp_flags & (EBC_TCP_SYN | EBC_TCP_ACK | EBC_TCP_RST)) == EBC_TCP_SYN;
}

/* May the packet be the first of its connection? */
static __always_inline bool ebc_begins(const struct ebc_packet *p)
{
	if (p->about.proto == IPPROTO_TCP || p->about.proto == IPPROTO_SCTP)
		return ebc_opens(p);
	/* The answer to a query never asked for anything. */
	if (ebc_is_icmp(p) && (p->flags & EBC_PKT_PORTS))
		return p->flags & EBC_PKT_ASKS;
	return true;
}

static __always_inline bool ebc_is_datagram(__u8 proto)
{
	return proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE;
}

static __always_inline __u8 ebc_ct_first_state(const struct ebc_packet *p)
{
	__u8 proto = p->about.proto;

	return proto == IPPROTO_TCP	? EBC_CTS_SYN_SENT
	       : ebc_is_datagram(proto) ? EBC_CTS_UDP
	       : proto == IPPROTO_SCTP	? EBC_CTS_SCTP_OPENING
	       : ebc_is_icmp(p)		? EBC_CTS_ICMP
					: EBC_CTS_GENERIC;
}

/* A handshake without an answer yet: it may as well go to another backend. */
static __always_inline bool ebc_ct_unanswered(const struct ebc_ct *ct)
{
	return ct->state == EBC_CTS_SYN_SENT ||
	       (ct->state == EBC_CTS_SCTP_OPENING && !(ct->flags & EBC_CT_SEEN_REPLY));
}

/* Closing, but not yet over. */
static __always_inline bool ebc_tcp_closing(__u8 state)
{
	return state == EBC_CTS_FIN_WAIT || state == EBC_CTS_CLOSE_WAIT || state == EBC_CTS_LAST_ACK;
}

/*
 * The table tcp_conntracks of nf_conntrack_proto_tcp.c. Where that one calls a packet invalid or ignores it,
 * the state stays. Additions: a connection that is met halfway (its entry was lost) is open when both sides
 * have spoken. A client's SYN while it closes is let through, and if the server agrees to it, it is a new
 * connection (the kernel does that by remembering the SYN that it ignored). And since sequence numbers are
 * not followed, a reset that neither side believed, from outside their windows, is known by what comes after
 * it: they go on talking. What was still under way when the server heard a reset opens it for no longer than
 * a handshake; the client's next word opens it fully.
 */
static __always_inline __u8 ebc_tcp_next(__u8 state, __u8 flags, bool reply, bool answered)
{
	if (flags & EBC_TCP_RST)
		return EBC_CTS_CLOSE;
	if (flags & EBC_TCP_SYN)
		return reply && (flags & EBC_TCP_ACK) && (state == EBC_CTS_SYN_SENT || ebc_tcp_closing(state))
			   ? EBC_CTS_SYN_RECV
			   : state;
	if (state == EBC_CTS_CLOSE && answered && (flags & EBC_TCP_ACK))
		state = EBC_CTS_SYN_RECV;
	if (flags & EBC_TCP_FIN) {
		if (state == EBC_CTS_SYN_RECV || state == EBC_CTS_ESTABLISHED)
			return EBC_CTS_FIN_WAIT;
		return state == EBC_CTS_FIN_WAIT || state == EBC_CTS_CLOSE_WAIT ? EBC_CTS_LAST_ACK : state;
	}
	if (!(flags & EBC_TCP_ACK))
		return state;
	if (state == EBC_CTS_SYN_SENT)
		return reply ? EBC_CTS_SYN_RECV : state;
	if (state == EBC_CTS_SYN_RECV)
		return reply ? state : EBC_CTS_ESTABLISHED;
	if (state == EBC_CTS_FIN_WAIT)
		return EBC_CTS_CLOSE_WAIT;
	return state == EBC_CTS_LAST_ACK ? EBC_CTS_TIME_WAIT : state;
}

static __always_inline __u8 ebc_ct_next(const struct ebc_ct *ct, const struct ebc_packet *p, __u16 flags)
{
	if (p->about.proto == IPPROTO_TCP)
		return ebc_tcp_next(ct->state, p->tcp_flags, ct->flags & EBC_CT_REPLY,
				    flags & EBC_CT_SEEN_REPLY);
	if (ebc_is_datagram(p->about.proto))
		return (flags & EBC_CT_SEEN_REPLY) && p->now > ct->created_ns &&
			       p->now - ct->created_ns > EBC_UDP_STREAM_AGE
			   ? EBC_CTS_UDP_STREAM
			   : ct->state;
	if (p->about.proto == IPPROTO_SCTP)
		return ebc_sctp_next(ct->state, p->sctp_chunk, flags & EBC_CT_SEEN_REPLY);
	return ct->state;
}

/* LRU maps refuse a new element while a CPU's share of free ones is being refilled: the next try finds one.
 */
static __noinline int ebc_ct_insert(const struct ebc_ct_key *key, const struct ebc_ct *ct, __u64 how)
{
	int error = ebc_ct_put(key, ct, how);

	if (error && error != -EBC_EEXIST)
		error = ebc_ct_put(key, ct, how);
	if (!error)
		ebc_ct_inserted(key->proto);
	return error;
}

/* The packet's connection, of which p->ct is a copy, is over or goes elsewhere: both its entries are deleted.
 */
static __noinline void ebc_ct_forget(struct ebc_packet *p)
{
	struct ebc_flow out;

	ebc_ct_flow(&p->ct, &out);
	ebc_ct_twin(&out, p->about.proto, &p->answers);
	ebc_ct_delete(&p->answers, p->ct.created_ns);
	ebc_ct_delete(ebc_ct_key(&p->about), p->ct.created_ns);
}

/*
 * Both entries of a connection, and only its own: the other one of p->ct, whose key is p->answers, is looked
 * up. What the LRU has evicted is made again from the one that is left. If another connection has taken the
 * place meanwhile, answers would go to it, so this entry goes: false, and the packet is one without an entry.
 * Not static, so that the verifier follows it once.
 */
__noinline int ebc_ct_heal(void)
{
	struct ebc_packet *p = ebc_scratch();
	const struct ebc_ct *other;
	int error;

	if (!p)
		return false;
	other = ebc_ct_lookup(&p->answers);
	if (other && other->created_ns == p->ct.created_ns)
		return true;
	if (other && !ebc_ct_expired(other, p->now)) {
		ebc_ct_delete(ebc_ct_key(&p->about), p->ct.created_ns);
		return false;
	}
	if (other)
		ebc_ct_delete(&p->answers, other->created_ns);
	p->twin = p->ct;
	p->twin.src = p->about.flow.dst;
	p->twin.dst = p->about.flow.src;
	p->twin.sport = p->about.flow.dport;
	p->twin.dport = p->about.flow.sport;
	p->twin.flags ^= EBC_CT_REPLY;
	p->twin.packets = 0;
	p->twin.bytes = 0;
	error = ebc_ct_insert(&p->answers, &p->twin, BPF_NOEXIST);
	if (error != -EBC_EEXIST)
		return true;
	other = ebc_ct_lookup(&p->answers);
	if (other && other->created_ns == p->ct.created_ns)
		return true;
	ebc_ct_delete(ebc_ct_key(&p->about), p->ct.created_ns);
	return false;
}

/*
 * Writes a change of the connection's state to both entries. Not atomic: the floor has no atomic OR. If the
 * two directions meet here in the same instant a bit may be lost and comes with the next packet, or the entry
 * lives on to a longer time-out.
 */
static __always_inline void ebc_ct_write(const struct ebc_ct_key *key, const struct ebc_ct *judged, __u64 now,
					 __u16 flags, __u8 state)
{
	struct ebc_ct *ct = ebc_ct_lookup(key);

	if (!ct || ct->created_ns != judged->created_ns)
		return;
	ct->flags |= flags;
	ct->state = state;
	ct->last_seen_ns = now;
}

/* The state of the connection has changed, or a second has passed. False if the entry was given up. */
static __noinline bool ebc_ct_refresh(struct ebc_packet *p, __u16 flags, __u8 state)
{
	p->ct.flags |= flags;
	p->ct.state = state;
	p->ct.last_seen_ns = p->now;
	if (!ebc_ct_heal())
		return false;
	ebc_ct_write(ebc_ct_key(&p->about), &p->ct, p->now, flags, state);
	ebc_ct_write(&p->answers, &p->ct, p->now, flags, state);
	return true;
}

/*
 * Does the packet need a look at the connection's other entry? If the state changes or a second has passed:
 * not with every packet, so that the two directions do not fight over a cache line. And while entries may be
 * evicted, from a client whose source is replaced: with its other entry gone, the source port may have been
 * given to another.
 */
static __always_inline bool ebc_ct_stale(const struct ebc_packet *p, __u16 flags, __u8 state)
{
	const struct ebc_ct *ct = &p->ct;

	if ((flags & ~ct->flags) || state != ct->state)
		return true;
	/* Another CPU may have written last_seen after we read the clock. */
	if (p->now > ct->last_seen_ns && p->now - ct->last_seen_ns >= EBC_SECOND)
		return true;
	return (ct->flags & (EBC_CT_REPLY | EBC_CT_MASQUERADE)) == EBC_CT_MASQUERADE &&
	       ebc_ct_may_evict(p->about.proto);
}

/* p->to becomes something else, or stays. */
static __always_inline void ebc_become(struct ebc_packet *p)
{
	const struct ebc_flow *from = &p->about.flow, *to = &p->to;

	if (!ebc_addr_eq(&to->dst, &from->dst)) {
		ebc_unresolve(p);
		p->flags |= EBC_PKT_CHANGED;
	} else if (!ebc_addr_eq(&to->src, &from->src) || to->sport != from->sport ||
		   to->dport != from->dport) {
		p->flags |= EBC_PKT_CHANGED;
	}
}

/*
 * The packet belongs to the entry, of which p->ct is a copy: p->to becomes what the entry makes of it, and it
 * is counted. EBC_REASON_FORWARDED, SERVICE or REPLY; negative if the entry turned out to be worthless and is
 * gone.
 */
static __noinline int ebc_ct_use(struct ebc_packet *p, struct ebc_ct *ct)
{
	bool reply = p->ct.flags & EBC_CT_REPLY;
	__u16 flags = reply ? EBC_CT_SEEN_REPLY : 0;
	__u8 state;

	if (p->tcp_flags & EBC_TCP_FIN)
		flags |= reply ? EBC_CT_FIN_REPLY : EBC_CT_FIN_FORWARD;
	state = ebc_ct_next(&p->ct, p, p->ct.flags | flags);
	ebc_ct_flow(&p->ct, &p->to);
	if (ebc_ct_stale(p, flags, state)) {
		ebc_ct_twin(&p->to, p->about.proto, &p->answers);
		if (!ebc_ct_refresh(p, flags, state)) {
			p->to = p->about.flow;
			return -1;
		}
	}
	p->about.service_id = p->ct.service_id;
	p->flags |= EBC_PKT_TRACKED;
	ebc_become(p);
	__sync_fetch_and_add(&ct->packets, 1);
	__sync_fetch_and_add(&ct->bytes, p->about.len);
	if (reply) {
		if (p->ct.flags & EBC_CT_STACK)
			p->flags |= EBC_PKT_STACK;
		return EBC_REASON_REPLY;
	}
	return p->ct.flags & EBC_CT_SERVICE ? EBC_REASON_SERVICE : EBC_REASON_FORWARDED;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Known connections: what a packet does to their state. */
#ifndef EBC_CONNTRACK_H
#define EBC_CONNTRACK_H

#include "conntrack_lookup.h"
#include "parse.h"
#include "sctp.h"

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
	return p->about.proto == IPPROTO_UDP || p->about.flow.sport;
}

static __always_inline __u8 ebc_ct_first_state(__u8 proto)
{
	return proto == IPPROTO_TCP    ? EBC_CTS_SYN_SENT
	       : proto == IPPROTO_UDP  ? EBC_CTS_UDP
	       : proto == IPPROTO_SCTP ? EBC_CTS_SCTP_OPENING
				       : EBC_CTS_ICMP;
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
 * it: they go on talking. Where one did believe it, it answers that with another reset.
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
		state = EBC_CTS_ESTABLISHED;
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
	if (p->about.proto == IPPROTO_UDP)
		return flags & EBC_CT_SEEN_REPLY ? EBC_CTS_UDP_STREAM : EBC_CTS_UDP;
	if (p->about.proto == IPPROTO_SCTP)
		return ebc_sctp_next(ct->state, p->sctp_chunk, flags & EBC_CT_SEEN_REPLY);
	return ct->state;
}

/* Writes a change of the connection's state to both entries. */
static __noinline void ebc_ct_update(struct ebc_ct *ct, const struct ebc_ct_key *twin_key, __u64 now,
				     __u16 flags, __u8 state)
{
	struct ebc_ct *twin = ebc_ct_lookup(twin_key);

	/*
	 * Not atomic: the floor has no atomic OR. If the two directions meet here in the same instant a bit
	 * may be lost and comes with the next packet, or the entry lives on to a longer time-out.
	 */
	ct->flags |= flags;
	ct->state = state;
	ct->last_seen_ns = now;
	/* The other entry may meanwhile belong to a later connection of the same client port. */
	if (!twin || twin->created_ns != ct->created_ns)
		return;
	twin->flags |= flags;
	twin->state = state;
	twin->last_seen_ns = now;
}

/*
 * The packet belongs to the entry: p->to becomes what the entry makes of it, and it is counted. The state of
 * the connection is written to both entries, and only when it changes or a second has passed, so that the two
 * directions do not fight over a cache line with every packet.
 */
static __noinline int ebc_ct_use(struct ebc_packet *p, struct ebc_ct *ct)
{
	__u16 flags = ct->flags & EBC_CT_REPLY ? EBC_CT_SEEN_REPLY : 0;
	__u8 state;

	if (p->tcp_flags & EBC_TCP_FIN)
		flags |= ct->flags & EBC_CT_REPLY ? EBC_CT_FIN_REPLY : EBC_CT_FIN_FORWARD;
	state = ebc_ct_next(ct, p, ct->flags | flags);
	p->about.service_id = ct->service_id;
	p->flags |= EBC_PKT_CHANGED;
	ebc_ct_flow(ct, &p->to);
	__sync_fetch_and_add(&ct->packets, 1);
	__sync_fetch_and_add(&ct->bytes, p->about.len);
	/* Another CPU may have written last_seen after we read the clock. */
	if ((flags & ~ct->flags) || state != ct->state ||
	    (p->now > ct->last_seen_ns && p->now - ct->last_seen_ns >= EBC_SECOND)) {
		ebc_ct_twin(&p->to, p->about.proto, &p->answers);
		ebc_ct_update(ct, &p->answers, p->now, flags, state);
	}
	if (ct->flags & EBC_CT_REPLY)
		return EBC_REASON_REPLY;
	return ct->flags & EBC_CT_SERVICE ? EBC_REASON_SERVICE : EBC_REASON_FORWARDED;
}

#endif

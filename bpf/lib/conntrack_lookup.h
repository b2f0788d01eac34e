/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Connections: keys, and when an entry is dead. Writes no packet. */
#ifndef EBC_CONNTRACK_LOOKUP_H
#define EBC_CONNTRACK_LOOKUP_H

#include "clock.h"
#include "conntrack_table.h"
#include "count.h"
#include "service_lookup.h"

/* The key of the packet's own entry: a subject begins with it. */
static __always_inline const struct ebc_ct_key *ebc_ct_key(const struct ebc_subject *about)
{
	return (const struct ebc_ct_key *)about;
}

/* The key of the other direction: it is met as the mirror image of how this one leaves. */
static __always_inline void ebc_ct_twin(const struct ebc_flow *out, __u8 proto, struct ebc_ct_key *twin)
{
	twin->src = out->dst;
	twin->dst = out->src;
	twin->sport = out->dport;
	twin->dport = out->sport;
	twin->proto = proto;
	__builtin_memset(twin->pad0, 0, sizeof(twin->pad0));
}

/* Seconds, as configured. The values are known when the program is loaded. */
static __always_inline __u64 ebc_ct_timeout(__u8 state)
{
	switch (state) {
	case EBC_CTS_SYN_SENT:
		return ebc_config.ct_timeouts.syn_sent;
	case EBC_CTS_SYN_RECV:
		return ebc_config.ct_timeouts.syn_recv;
	case EBC_CTS_ESTABLISHED:
		return ebc_config.ct_timeouts.established;
	case EBC_CTS_FIN_WAIT:
		return ebc_config.ct_timeouts.fin_wait;
	case EBC_CTS_CLOSE_WAIT:
		return ebc_config.ct_timeouts.close_wait;
	case EBC_CTS_LAST_ACK:
		return ebc_config.ct_timeouts.last_ack;
	case EBC_CTS_TIME_WAIT:
		return ebc_config.ct_timeouts.time_wait;
	case EBC_CTS_CLOSE:
		return ebc_config.ct_timeouts.close;
	case EBC_CTS_UDP:
		return ebc_config.ct_timeouts.udp;
	case EBC_CTS_UDP_STREAM:
		return ebc_config.ct_timeouts.udp_stream;
	case EBC_CTS_SCTP_OPENING:
		return ebc_config.ct_timeouts.sctp_opening;
	case EBC_CTS_SCTP_ESTABLISHED:
		return ebc_config.ct_timeouts.sctp_established;
	case EBC_CTS_SCTP_CLOSING:
		return ebc_config.ct_timeouts.sctp_closing;
	case EBC_CTS_ICMP:
		return ebc_config.ct_timeouts.icmp;
	default:
		return ebc_config.ct_timeouts.generic;
	}
}

static __always_inline bool ebc_ct_expired(const struct ebc_ct *ct, __u64 now)
{
	/* Another CPU may have written last_seen after we read the clock. */
	return now > ct->last_seen_ns && now - ct->last_seen_ns > ebc_ct_timeout(ct->state) * EBC_SECOND;
}

/*
 * The entry of a key, copied to *to, and *now; NULL if there is none alive. Entries expire lazily, on lookup.
 * The LRU may give an element to another key while a program reads it, so the copy is believed only if the
 * key still leads to the same element, and that is of the same connection. What is written through the
 * pointer afterwards is written at that risk: counters, and what a refresh has looked up again (conntrack.h).
 */
static __always_inline struct ebc_ct *ebc_ct_find(const struct ebc_ct_key *key, struct ebc_ct *to, __u64 *now)
{
	struct ebc_ct *ct = ebc_ct_lookup(key);
	struct ebc_ct *again;

	if (!ct)
		return NULL;
	*to = *ct;
	again = ebc_ct_lookup(key);
	if (again != ct || !again || again->created_ns != to->created_ns)
		return NULL;
	*now = ebc_now();
	return ebc_ct_expired(to, *now) ? NULL : again;
}

/*
 * Deletes an entry that was looked at, unless it has become another connection's since. (What is written in
 * the nanoseconds between this look and the deletion is lost; its packet comes again.)
 */
static __always_inline bool ebc_ct_delete(const struct ebc_ct_key *key, __u64 created_ns)
{
	const struct ebc_ct *again = ebc_ct_lookup(key);

	return again && again->created_ns == created_ns && !ebc_ct_remove(key);
}

/* Is the connection over, as far as one can see? Datagrams never are. */
static __always_inline bool ebc_ct_over(const struct ebc_ct *ct)
{
	return ct->state == EBC_CTS_TIME_WAIT || ct->state == EBC_CTS_CLOSE ||
	       ct->state == EBC_CTS_SCTP_CLOSING;
}

/* The packet as it goes on. */
static __always_inline void ebc_ct_flow(const struct ebc_ct *ct, struct ebc_flow *out)
{
	out->src = ct->src;
	out->dst = ct->dst;
	out->sport = ct->sport;
	out->dport = ct->dport;
}

#endif

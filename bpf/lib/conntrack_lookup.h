/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Translated connections: keys, and when an entry is dead. Reads maps only. */
#ifndef EBC_CONNTRACK_LOOKUP_H
#define EBC_CONNTRACK_LOOKUP_H

#include <linux/in.h>

#include "abi/conntrack_abi.h"
#include "conntrack_table.h"
#include "count.h"
#include "service_lookup.h"

#define EBC_SECOND 1000000000ULL

static __always_inline struct ebc_ct_key ebc_ct_key(const struct ebc_flow *f, __u8 proto)
{
	struct ebc_ct_key key = {
	    .src = f->src, .dst = f->dst, .sport = f->sport, .dport = f->dport, .proto = proto};

	return key;
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
	default:
		return ebc_config.ct_timeouts.icmp;
	}
}

static __always_inline bool ebc_ct_expired(const struct ebc_ct *ct, __u64 now)
{
	/* Another CPU may have written last_seen after we read the clock. */
	return now > ct->last_seen_ns && now - ct->last_seen_ns > ebc_ct_timeout(ct->state) * EBC_SECOND;
}

/*
 * Death is judged when somebody asks, so nothing needs to run for an entry to be gone. The pointer is into a
 * live element; the LRU reuses only what nobody has looked up lately, and the agent deletes only the dead.
 */
static __always_inline struct ebc_ct *ebc_ct_find(const struct ebc_ct_key *key, __u64 now)
{
	struct ebc_ct *ct = ebc_ct_lookup(key);

	return ct && !ebc_ct_expired(ct, now) ? ct : NULL;
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

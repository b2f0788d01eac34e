/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ports of a datagram's later fragments, which only its first one carries. */
#ifndef EBC_FRAGMENT_H
#define EBC_FRAGMENT_H

#include "abi/conntrack_abi.h"
#include "clock.h"
#include "parse.h"

/* As long as the kernel waits for the rest of a datagram; after that its identifier may be another one's. */
#define EBC_FRAG_LIFE (30 * EBC_SECOND)

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct ebc_frag_key);
	__type(value, struct ebc_frag);
} ebc_frag_v2 SEC(".maps");

static __always_inline void ebc_frag_key(const struct ebc_packet *p, struct ebc_frag_key *key)
{
	key->src = p->about.flow.src;
	key->dst = p->about.flow.dst;
	key->id = p->fragment_id;
	key->proto = p->about.proto;
	__builtin_memset(key->pad0, 0, sizeof(key->pad0));
}

static __always_inline bool ebc_frag_expired(__u64 time_ns)
{
	__u64 now = ebc_now();

	return now > time_ns && now - time_ns > EBC_FRAG_LIFE;
}

/* What the packet's first fragment has said; NULL if it has not been seen. */
static __always_inline const struct ebc_frag *ebc_frag_find(const struct ebc_packet *p)
{
	const struct ebc_frag *known;
	struct ebc_frag_key key;

	ebc_frag_key(p, &key);
	known = bpf_map_lookup_elem(&ebc_frag_v2, &key);
	return known && !ebc_frag_expired(known->time_ns) ? known : NULL;
}

/* The packet is a first fragment. An ICMP message that is no query has no ports, but that is known then. */
static __always_inline void ebc_frag_learn(const struct ebc_packet *p)
{
	struct ebc_frag ports = {.sport = p->about.flow.sport,
				 .dport = p->about.flow.dport,
				 .ports = p->flags & EBC_PKT_PORTS ? 1 : 0,
				 .time_ns = ebc_now()};
	struct ebc_frag_key key;

	ebc_frag_key(p, &key);
	bpf_map_update_elem(&ebc_frag_v2, &key, &ports, BPF_ANY);
}

/* The packet is a later fragment, and gets the ports of its first one, if that has some. False if it was not
 * seen. */
static __always_inline bool ebc_frag_ports(struct ebc_packet *p)
{
	const struct ebc_frag *known = ebc_frag_find(p);

	if (!known)
		return false;
	if (!known->ports)
		return true;
	p->about.flow.sport = known->sport;
	p->about.flow.dport = known->dport;
	p->to.sport = known->sport;
	p->to.dport = known->dport;
	p->flags |= EBC_PKT_PORTS;
	return true;
}

#endif

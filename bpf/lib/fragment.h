/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ports of a datagram's later fragments, which only its first one carries. */
#ifndef EBC_FRAGMENT_H
#define EBC_FRAGMENT_H

#include "abi/conntrack_abi.h"
#include "parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct ebc_frag_key);
	__type(value, struct ebc_frag);
} ebc_frag_v1 SEC(".maps");

/*
 * A host sends the fragments of a datagram in order, first one first, and a pod's veth does not reorder them;
 * so what a pod sends is always known. From the network a later one may overtake the first and stays unknown.
 */
static __noinline void ebc_fragment_ports(struct ebc_packet *p)
{
	struct ebc_frag_key key = {.src = p->about.flow.src,
				   .dst = p->about.flow.dst,
				   .id = p->fragment_id,
				   .proto = p->about.proto};
	struct ebc_frag ports = {.sport = p->about.flow.sport, .dport = p->about.flow.dport};
	const struct ebc_frag *known;

	if (p->flags & EBC_PKT_FIRST) {
		bpf_map_update_elem(&ebc_frag_v1, &key, &ports, BPF_ANY);
		return;
	}
	known = bpf_map_lookup_elem(&ebc_frag_v1, &key);
	if (!known)
		return;
	p->about.flow.sport = known->sport;
	p->about.flow.dport = known->dport;
	p->to.sport = known->sport;
	p->to.dport = known->dport;
	p->flags |= EBC_PKT_PORTS;
}

static __always_inline void ebc_fragment(struct ebc_packet *p)
{
	if ((p->flags & EBC_PKT_LATER) ||
	    (p->flags & (EBC_PKT_FIRST | EBC_PKT_PORTS)) == (EBC_PKT_FIRST | EBC_PKT_PORTS))
		ebc_fragment_ports(p);
}

#endif

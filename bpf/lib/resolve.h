/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What an address is to this node: asked once for where a packet goes, and used wherever it matters. */
#ifndef EBC_RESOLVE_H
#define EBC_RESOLVE_H

#include "endpoint_lookup.h"
#include "ipcache_lookup.h"

static __always_inline void ebc_place_of(const struct ebc_addr *a, struct ebc_place *place)
{
	const struct ebc_ep *pod = ebc_endpoint(a);
	const struct ebc_ipcache *known;

	if (pod) {
		place->pod = *pod;
		place->kind = EBC_IPCACHE_POD | EBC_IPCACHE_LOCAL;
		place->tunnel = 0;
		return;
	}
	place->pod.ifindex = 0;
	place->kind = 0;
	place->tunnel = 0;
	known = ebc_ipcache_find(a);
	if (!known)
		return;
	place->kind = known->flags;
	place->tunnel = known->ifindex;
	place->peer = known->tunnel;
}

/* p->place becomes that of p->to.dst. */
static __noinline void ebc_resolve(struct ebc_packet *p)
{
	if (p->flags & EBC_PKT_RESOLVED)
		return;
	ebc_place_of(&p->to.dst, &p->place);
	p->flags |= EBC_PKT_RESOLVED;
}

/* p->to.dst has become another address. */
static __always_inline void ebc_unresolve(struct ebc_packet *p)
{
	p->flags &= ~(EBC_PKT_RESOLVED | EBC_PKT_ROUTED);
}

/* To a pod of this node. */
static __always_inline bool ebc_to_local_pod(struct ebc_packet *p)
{
	ebc_resolve(p);
	return p->place.pod.ifindex;
}

/* p->to.dst is none of the cluster's addresses, and not exempt from masquerading. */
static __always_inline bool ebc_to_outside(struct ebc_packet *p)
{
	ebc_resolve(p);
	return !p->place.kind;
}

/* p->to.dst is this node's own address. */
static __always_inline bool ebc_to_this_node(struct ebc_packet *p)
{
	ebc_resolve(p);
	return (p->place.kind & (EBC_IPCACHE_NODE | EBC_IPCACHE_LOCAL)) ==
	       (EBC_IPCACHE_NODE | EBC_IPCACHE_LOCAL);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Frontends: is a packet for one, may it use it, which backend, and with what source. */
#ifndef EBC_SERVICE_H
#define EBC_SERVICE_H

#include "choose.h"
#include "endpoint_lookup.h"
#include "hairpin.h"
#include "ipcache_lookup.h"
#include "route.h"
#include "snat.h"
#include "source_range.h"
#include "stat.h"

static __always_inline bool ebc_loopback(const struct ebc_addr *a)
{
	if (ebc_addr_is_v4(a))
		return (a->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return !(a->w[0] | a->w[1] | a->w[2] | (a->w[3] ^ bpf_htonl(1)));
}

/* p->svc is the packet's frontend, or its address's marker; false where there is neither. */
static __noinline bool ebc_frontend(struct ebc_packet *p)
{
	struct ebc_svc_key key = {
	    .addr = p->about.flow.dst, .port = p->about.flow.dport, .proto = p->about.proto};

	if (ebc_from_network(p)) {
		key.scope = EBC_SCOPE_EXTERNAL;
		if (ebc_svc_find(&key, &p->svc))
			return true;
		key.scope = EBC_SCOPE_INTERNAL;
	}
	if (ebc_svc_find(&key, &p->svc))
		return true;
	key.port = 0;
	key.proto = 0;
	return ebc_svc_find(&key, &p->svc);
}

/* 0, or why nobody, or not this client, may begin a connection to p->svc. */
static __always_inline int ebc_admit(struct ebc_packet *p)
{
	p->about.service_id = p->svc.service_id;
	if (p->svc.flags & EBC_SVC_ADDRESS)
		return EBC_DROP_PORT;
	if (!ebc_source_allowed(&p->svc, &p->about.flow.src))
		return EBC_DROP_SOURCE_RANGE;
	if (!p->svc.count)
		return p->svc.flags & EBC_SVC_DROP_EMPTY ? EBC_DROP_NO_LOCAL_BACKEND : EBC_DROP_NO_BACKEND;
	return 0;
}

/*
 * Does the entry's backend still serve? What can move leaves one that does not: datagrams, and handshakes
 * that nobody answered. (kube-proxy needs a pass over conntrack for that, and datagrams are lost until it
 * comes.) Datagrams may stay with one that is no longer chosen.
 */
static __noinline bool ebc_backend_serves(const struct ebc_packet *p, struct ebc_ct *ct)
{
	__u32 index = ct->backend_index;
	struct ebc_addr addr = ct->dst;
	__be16 port = ct->dport;

	if (p->svc.flags & EBC_SVC_ADDRESS)
		return false;
	if (ebc_serves(&p->svc, 0, p->svc.count, &addr, port, &index) ||
	    (p->about.proto == IPPROTO_UDP &&
	     ebc_serves(&p->svc, p->svc.count, p->svc.tail, &addr, port, &index))) {
		ct->backend_index = index;
		return true;
	}
	return false;
}

/* Is it the node itself that this backend is? Its answers pass ebc_host_egress. */
static __always_inline bool ebc_backend_is_node(const struct ebc_backend *b)
{
	return (b->flags & EBC_BACKEND_LOCAL) && !ebc_endpoint(&b->addr);
}

/*
 * May a client from the network be shown to the backend, as the configuration wants it? Only if the answers
 * come back here. Those of pods here do. Those of pods elsewhere do if their node can tell that we handed it
 * the packet (way_back.h): to somebody outside, and with no router between us. Nodes, and what is no pod at
 * all, answer straight to the client.
 */
static __always_inline bool ebc_keeps_source(struct __sk_buff *skb, struct ebc_packet *p,
					     const struct ebc_backend *b)
{
	struct ebc_addr hop;

	if (!ebc_configured(EBC_CONFIG_KEEP_SOURCE))
		return false;
	if (ebc_endpoint(&b->addr))
		return true;
	if (!(ebc_ipcache(&b->addr) & EBC_IPCACHE_POD) || ebc_in_cluster(&p->about.flow.src))
		return false;
	p->to.dst = b->addr;
	if (!ebc_leaves(ebc_route(skb, p, p->about.ifindex)))
		return false;
	ebc_next_hop(p, &hop);
	return ebc_ipcache(&hop) & EBC_IPCACHE_NODE;
}

/*
 * A pod's service whose backend is not in the cluster (an API server that others run): the pod leaves the
 * cluster as it does without a service. p->ct.src is then the device's address.
 */
static __always_inline bool ebc_backend_outside(struct __sk_buff *skb, struct ebc_packet *p,
						const struct ebc_backend *b)
{
	if (!ebc_configured(EBC_CONFIG_MASQUERADE) || ebc_endpoint(&b->addr) || ebc_ipcache(&b->addr))
		return false;
	p->to.dst = b->addr;
	return ebc_leaves(ebc_route(skb, p, p->about.ifindex)) &&
	       ebc_uplink_addr(p, p->route.ifindex, &p->ct.src);
}

/*
 * What the backend is to see as the client, into p->ct.src. What comes over an uplink gets the node's
 * address, so that the answers come back here; unless the service, or the configuration, keeps the source,
 * and unless this node is the backend (it answers through here anyway). False where the node has no such
 * address.
 */
static __always_inline bool ebc_service_source(struct __sk_buff *skb, struct ebc_packet *p,
					       const struct ebc_backend *b, bool *node)
{
	const struct ebc_addr *src = &p->about.flow.src;

	*node = false;
	p->ct.src = *src;
	if (ebc_from_network(p)) {
		if ((p->svc.flags & EBC_SVC_KEEP_SOURCE) || ebc_keeps_source(skb, p, b) ||
		    ebc_backend_is_node(b))
			return true;
	} else if (ebc_from_node(p)) {
		*node = true;
		if (!ebc_loopback(src) || ebc_loopback(&b->addr))
			return true;
	} else {
		if (ebc_addr_eq(&b->addr, src))
			ebc_hairpin_address(&p->ct.src, p->flags & EBC_PKT_V6);
		else if (ebc_backend_outside(skb, p, b))
			*node = true;
		else
			p->ct.src = *src;
		return true;
	}
	*node = true;
	return ebc_uplink_addr(p, EBC_UPLINK_NODE, &p->ct.src) ||
	       ebc_uplink_addr(p, p->about.ifindex, &p->ct.src);
}

/* First packet of a connection to p->svc: a backend is chosen. EBC_REASON_SERVICE, or a drop reason. */
static __noinline int ebc_service_begin(struct __sk_buff *skb, struct ebc_packet *p)
{
	struct ebc_addr client = p->about.flow.src;
	const struct ebc_backend *b;
	__u32 index = 0;
	bool node;
	int reason;

	if (ebc_loopback(&client))
		ebc_uplink_addr(p, EBC_UPLINK_NODE, &client);
	b = ebc_choose(&p->svc, &client, bpf_get_prandom_u32(), &index);
	/* Cannot happen with our agent; a wrong table must not turn into a wrong packet. */
	if (!b || ebc_addr_is_v4(&b->addr) != ebc_addr_is_v4(&p->about.flow.dst))
		return EBC_DROP_REWRITE;
	p->ct.dst = b->addr;
	p->ct.dport = b->port;
	p->ct.flags = EBC_CT_SERVICE;
	p->ct.service_id = p->svc.service_id;
	p->ct.backend_index = index;
	if (!ebc_service_source(skb, p, b, &node))
		return EBC_DROP_SNAT_PORTS;
	ebc_stat_connection(p->svc.service_id, b);
	reason = ebc_ct_create(skb, node);
	return reason ? reason : EBC_REASON_SERVICE;
}

#endif

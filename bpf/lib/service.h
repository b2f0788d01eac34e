/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Frontends: is a packet for one, may it use it, which backend, and with what source. */
#ifndef EBC_SERVICE_H
#define EBC_SERVICE_H

#include "choose.h"
#include "hairpin.h"
#include "route.h"
#include "snat.h"
#include "source_check.h"
#include "source_range.h"
#include "stat.h"

/* p->svc is the packet's frontend, or its address's marker; false where there is neither. */
static __noinline bool ebc_frontend(struct ebc_packet *p)
{
	struct ebc_svc_key key = {
	    .addr = p->about.flow.dst, .port = p->about.flow.dport, .proto = p->about.proto};

	if (ebc_from_network(p) && ebc_may_be_service(p->about.proto)) {
		key.scope = EBC_SCOPE_EXTERNAL;
		if (ebc_svc_find(&key, &p->svc))
			return true;
		key.scope = EBC_SCOPE_INTERNAL;
	}
	if (ebc_may_be_service(p->about.proto) && ebc_svc_find(&key, &p->svc))
		return true;
	key.port = 0;
	key.proto = 0;
	return ebc_svc_find(&key, &p->svc);
}

/* A cluster IP: all that is for it is for a Service, or for none. */
static __always_inline bool ebc_virtual(const struct ebc_addr *a)
{
	struct ebc_svc_key key = {.addr = *a, .scope = EBC_SCOPE_INTERNAL};

	return bpf_map_lookup_elem(&ebc_svc_v2, &key) != NULL;
}

/* 0, or why a connection to p->svc may not begin, or not from this client. */
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
 * Does the backend of p->ct still serve? What can move leaves one that does not: datagrams, and handshakes
 * without an answer. (kube-proxy needs a pass over conntrack for that, and datagrams are lost until it
 * comes.) Datagrams may stay with one that is no longer chosen. Its position in the segment plus 1, or 0. Not
 * static, so that the verifier follows it once.
 */
__noinline int ebc_backend_serves(void)
{
	const struct ebc_packet *p = ebc_scratch();
	__u32 index;

	if (!p || (p->svc.flags & EBC_SVC_ADDRESS))
		return 0;
	index = p->ct.backend_index;
	if (ebc_serves(&p->svc, 0, p->svc.count, &p->ct.dst, p->ct.dport, &index))
		return index + 1;
	if (p->about.proto == IPPROTO_UDP &&
	    ebc_serves(&p->svc, p->svc.count, p->svc.tail, &p->ct.dst, p->ct.dport, &index))
		return index + 1;
	return 0;
}

/* Is the backend the node itself? Its answers pass ebc_host_egress. p->place is the backend's. */
static __always_inline bool ebc_backend_is_node(const struct ebc_packet *p, const struct ebc_backend *b)
{
	return (b->flags & EBC_BACKEND_LOCAL) && !p->place.pod.ifindex;
}

/*
 * May a client from the network be shown to the backend, as the configuration wants it? Only if the answers
 * come back here. Those of pods here do. Those of pods elsewhere do if their node can tell that we handed it
 * the packet (way_back.h): to a client outside, and with no router between us. Nodes, and what is no pod at
 * all, answer straight to the client.
 */
static __always_inline bool ebc_keeps_source(struct __sk_buff *skb, struct ebc_packet *p)
{
	struct ebc_addr hop;

	if (!ebc_configured(EBC_CONFIG_KEEP_SOURCE))
		return false;
	if (p->place.pod.ifindex)
		return true;
	if (!(p->place.kind & EBC_IPCACHE_POD) || ebc_in_cluster(&p->about.flow.src))
		return false;
	if (!ebc_leaves(ebc_route(skb, p, p->about.ifindex)))
		return false;
	ebc_next_hop(p, &hop);
	return ebc_ipcache(&hop) & EBC_IPCACHE_NODE;
}

/* With what source a connection goes on. */
enum ebc_source {
	EBC_SOURCE_OWN = 0,	/* the client's */
	EBC_SOURCE_NODE = 1,	/* the node's own client: its address, and its port may have to change */
	EBC_SOURCE_HIDDEN = 2,	/* behind the address by which others know the node */
	EBC_SOURCE_UPLINK = 3,	/* behind the address of the uplink by which it leaves the cluster */
	EBC_SOURCE_HAIRPIN = 4, /* a pod, or the node, that reaches itself */
};

/*
 * What the backend is to see as the client. What comes over an uplink gets the node's address, so that the
 * answers come back here; unless the service, or the configuration, keeps the source, and unless this node is
 * the backend (it answers through here anyway). A pod whose backend is not in the cluster (an API server that
 * others run) leaves the cluster as it does without a service.
 */
static __noinline int ebc_service_source(struct __sk_buff *skb, struct ebc_packet *p,
					 const struct ebc_backend *b)
{
	const struct ebc_addr *src = &p->about.flow.src;

	if (ebc_from_network(p))
		return (p->svc.flags & EBC_SVC_KEEP_SOURCE) || ebc_keeps_source(skb, p) ||
			       ebc_backend_is_node(p, b)
			   ? EBC_SOURCE_OWN
			   : EBC_SOURCE_HIDDEN;
	if (ebc_from_node(p)) {
		/* Answers on lo are looked at only where tc translates all. Elsewhere they do not get to
		 * another device, unless they are for an address that is not here. */
		if (ebc_configured(EBC_CONFIG_SOCKET_LB) && ebc_to_this_node(p))
			return EBC_SOURCE_HAIRPIN;
		return ebc_loopback(src) && !ebc_loopback(&b->addr) ? EBC_SOURCE_HIDDEN : EBC_SOURCE_NODE;
	}
	if (ebc_addr_eq(&b->addr, src))
		return EBC_SOURCE_HAIRPIN;
	if (ebc_configured(EBC_CONFIG_MASQUERADE) && ebc_to_outside(p) &&
	    ebc_leaves(ebc_route(skb, p, p->about.ifindex)))
		return EBC_SOURCE_UPLINK;
	return EBC_SOURCE_OWN;
}

/*
 * 0, or why a pod's connection to a backend outside of the cluster may not begin: the routes refuse it, or
 * would have its packet cut. The stack would do either with the pod's address in it, and the entry would keep
 * that address when the routes have changed.
 */
static __always_inline int ebc_way_out_refused(struct __sk_buff *skb, struct ebc_packet *p)
{
	int route;

	if (p->about.hook != EBC_HOOK_POD_EGRESS || !ebc_configured(EBC_CONFIG_MASQUERADE) ||
	    !ebc_to_outside(p))
		return 0;
	route = ebc_route(skb, p, p->about.ifindex);
	if (route == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return EBC_DROP_TOO_BIG;
	return route == BPF_FIB_LKUP_RET_BLACKHOLE || route == BPF_FIB_LKUP_RET_UNREACHABLE ||
		       route == BPF_FIB_LKUP_RET_PROHIBIT
		   ? EBC_DROP_UNTRACKED
		   : 0;
}

/* The address that goes with it, into *to; false where the node has none of the family. */
static __always_inline bool ebc_source_address(const struct ebc_packet *p, int source, struct ebc_addr *to)
{
	*to = p->about.flow.src;
	if (source == EBC_SOURCE_HIDDEN)
		return ebc_node_addr(p, to) || ebc_uplink_addr(p, p->about.ifindex, to);
	if (source == EBC_SOURCE_UPLINK)
		return ebc_uplink_addr(p, p->route.ifindex, to);
	if (source == EBC_SOURCE_HAIRPIN)
		ebc_hairpin_address(to, p->flags & EBC_PKT_V6);
	return true;
}

/*
 * The tunnels' port of a node is for nodes: what a program sends there would be taken for a node's. A node
 * may be spoken to so before this one has a tunnel of its own.
 */
static __always_inline bool ebc_is_tunnel_port(const struct ebc_packet *p, __be16 port)
{
	const struct ebc_overlay *overlay = ebc_overlay();
	__be16 tunnel = overlay ? overlay->port : ebc_config.tunnel_port;

	return tunnel && p->about.proto == IPPROTO_UDP && port == tunnel &&
	       !(p->place.kind & EBC_IPCACHE_POD);
}

/* First packet of a connection to p->svc: a backend is chosen. EBC_REASON_SERVICE, or a drop reason. */
static __noinline int ebc_service_begin(struct __sk_buff *skb, struct ebc_packet *p)
{
	struct ebc_addr client = p->about.flow.src;
	const struct ebc_backend *b;
	__u32 index = 0;
	int source, reason;

	if (ebc_loopback(&client))
		ebc_node_addr(p, &client);
	b = ebc_choose(&p->svc, &client, bpf_get_prandom_u32(), &index);
	/* Cannot happen with our agent; a wrong table must not turn into a wrong packet. */
	if (!b || ebc_addr_is_v4(&b->addr) != ebc_addr_is_v4(&p->about.flow.dst))
		return EBC_DROP_REWRITE;
	p->to.dst = b->addr;
	p->to.dport = b->port;
	ebc_unresolve(p);
	ebc_resolve(p);
	if (ebc_is_tunnel_port(p, b->port))
		return EBC_DROP_TUNNEL_PORT;
	reason = ebc_way_out_refused(skb, p);
	if (reason)
		return reason;
	source = ebc_service_source(skb, p, b);
	/* Before it is remembered: at the pod's door that would have been done, and the pod's answers to
	 * whose source it is would be taken for this connection's. */
	if (source == EBC_SOURCE_OWN && p->place.pod.ifindex && !ebc_source_believed(p))
		return EBC_DROP_UPLINK_SOURCE;
	p->ct.dst = b->addr;
	p->ct.dport = b->port;
	p->ct.flags = EBC_CT_SERVICE | (source == EBC_SOURCE_HIDDEN ? EBC_CT_MASQUERADE : 0);
	p->ct.service_id = p->svc.service_id;
	p->ct.backend_index = index;
	if (!ebc_source_address(p, source, &p->ct.src))
		return EBC_DROP_SNAT_PORTS;
	ebc_stat_connection(p->svc.service_id, b);
	reason = ebc_ct_create(skb, source != EBC_SOURCE_OWN && source != EBC_SOURCE_HAIRPIN);
	return reason ? reason : EBC_REASON_SERVICE;
}

#endif

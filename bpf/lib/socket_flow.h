/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* An unconnected datagram socket and a frontend are one flow, as nf_conntrack would see it: it keeps its
 * backend. */
#ifndef EBC_SOCKET_FLOW_H
#define EBC_SOCKET_FLOW_H

#include "choose.h"
#include "config.h"
#include "socket_address.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_sock_rev_key);
	__type(value, struct ebc_sock_flow);
} ebc_sockflow_v1 SEC(".maps");

#define EBC_FLOW_SECOND 1000000000ULL

/*
 * Where in the segment the flow's backend is, if it has one that still serves, chosen or not, and was not
 * idle for too long. The LRU may reuse an element under its reader: only a copy that names a backend of this
 * service is believed.
 */
static __noinline bool ebc_sock_flow_known(const struct ebc_svc *svc, const struct ebc_sock_rev_key *key,
					   __u32 *index)
{
	struct ebc_sock_flow *known = bpf_map_lookup_elem(&ebc_sockflow_v1, key);
	__u64 now = bpf_ktime_get_ns();
	struct ebc_sock_flow flow;
	__u64 idle;

	if (!known)
		return false;
	flow = *known;
	/* Another CPU may have written after we read the clock. */
	idle = now > flow.last_used_ns ? now - flow.last_used_ns : 0;
	if (flow.service_id != svc->service_id || idle > ebc_config.ct_timeouts.udp_stream * EBC_FLOW_SECOND)
		return false;
	*index = flow.backend_index;
	if (!ebc_serves(svc, 0, svc->count, &flow.addr, flow.port, index) &&
	    !ebc_serves(svc, svc->count, svc->tail, &flow.addr, flow.port, index))
		return false;
	/* Several threads may send through one socket: they share a line that is seldom written. */
	if (idle > EBC_FLOW_SECOND)
		known->last_used_ns = now;
	if (*index != flow.backend_index)
		known->backend_index = *index;
	return true;
}

static __noinline void ebc_sock_flow_begin(const struct ebc_svc *svc, const struct ebc_sock_rev_key *key,
					   const struct ebc_backend *b, __u32 index)
{
	struct ebc_sock_flow flow = {.addr = b->addr,
				     .port = b->port,
				     .service_id = svc->service_id,
				     .backend_index = index,
				     .last_used_ns = bpf_ktime_get_ns()};

	bpf_map_update_elem(&ebc_sockflow_v1, key, &flow, BPF_ANY);
}

#endif

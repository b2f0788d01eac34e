/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a packet's flow becomes through services, in both directions. Decides; edits nothing. */
#ifndef EBC_SERVICE_H
#define EBC_SERVICE_H

#include "conntrack.h"
#include "fragment.h"
#include "parse.h"
#include "service_lookup.h"

static __always_inline bool ebc_opens(const struct ebc_packet *p)
{
	if (p->about.proto == IPPROTO_SCTP)
		return p->sctp_chunk == EBC_SCTP_INIT;
	return (p->tcp_flags & (EBC_TCP_SYN | EBC_TCP_ACK | EBC_TCP_RST)) == EBC_TCP_SYN;
}

/*
 * An entry that may still be used for a packet whose frontend exists. A SYN after the handshake is a new
 * connection of a reused port, not a repeated one. A backend that left is left by what can move: datagrams,
 * and handshakes that were not answered. (kube-proxy needs a pass over conntrack for that, and datagrams are
 * lost until it comes.)
 */
static __always_inline struct ebc_ct *ebc_ct_reusable(struct ebc_ct *ct, const struct ebc_svc *svc)
{
	if (!ct || ebc_ct_over(ct) || ct->state == EBC_CTS_ESTABLISHED)
		return NULL;
	return ebc_ct_backend_serves(ct, svc) ? ct : NULL;
}

/*
 * Client to frontend. EBC_REASON_FORWARDED: no service. EBC_REASON_SERVICE: *out is the flow towards the
 * backend. Else a drop reason. An open TCP connection needs its entry only: it keeps its backend although the
 * set changes or the service is deleted. What begins, and datagrams, ask the frontend first.
 */
static __noinline int ebc_service_forward(struct ebc_packet *p, struct ebc_flow *out)
{
	struct ebc_ct_key key = ebc_ct_key(&p->about.flow, p->about.proto);
	struct ebc_svc_key front = {.addr = p->about.flow.dst,
				    .port = p->about.flow.dport,
				    .proto = p->about.proto,
				    .scope = EBC_SCOPE_INTERNAL};
	bool open = p->about.proto != IPPROTO_UDP && !ebc_opens(p);
	__u64 now = bpf_ktime_get_ns();
	struct ebc_ct *ct = NULL;
	struct ebc_svc svc = {};

	if (open)
		ct = ebc_ct_find(&key, now);
	if (!ct) {
		if (!ebc_svc_find(&front, &svc))
			return EBC_REASON_FORWARDED;
		p->about.service_id = svc.service_id;
		if (!svc.count)
			return svc.flags & EBC_SVC_DROP_EMPTY ? EBC_DROP_NO_LOCAL_BACKEND
							      : EBC_DROP_NO_BACKEND;
		if (!open)
			ct = ebc_ct_reusable(ebc_ct_find(&key, now), &svc);
		if (!ct)
			return ebc_ct_create(p, &svc, &key, out);
	}
	p->about.service_id = ct->service_id;
	ebc_ct_flow(ct, out);
	ebc_ct_seen(ct, p, out, now);
	return EBC_REASON_SERVICE;
}

/* Backend to client. EBC_REASON_FORWARDED: not a translated connection. EBC_REASON_REPLY: *out is as the
 * client knows it. */
static __noinline int ebc_service_reply(struct ebc_packet *p, struct ebc_flow *out)
{
	struct ebc_ct_key key = ebc_ct_key(&p->about.flow, p->about.proto);
	__u64 now = bpf_ktime_get_ns();
	struct ebc_ct *ct = ebc_ct_find(&key, now);

	if (!ct || !(ct->flags & EBC_CT_REPLY))
		return EBC_REASON_FORWARDED;
	p->about.service_id = ct->service_id;
	ebc_ct_flow(ct, out);
	ebc_ct_seen(ct, p, out, now);
	return EBC_REASON_REPLY;
}

/*
 * A pod opens a connection to a backend directly, from the port of an earlier one through a service: the
 * answers would be taken for the earlier one's. If that is over, it makes way. (nf_conntrack keeps both and
 * changes the port of the new one.)
 */
static __noinline int ebc_service_forget(const struct ebc_packet *p)
{
	struct ebc_ct_key reply;
	const struct ebc_ct *ct;

	ebc_ct_twin(&p->about.flow, IPPROTO_TCP, &reply);
	ct = bpf_map_lookup_elem(&ebc_ct_v2, &reply);
	if (ct && ebc_ct_over(ct))
		bpf_map_delete_elem(&ebc_ct_v2, &reply);
	return 0;
}

#endif

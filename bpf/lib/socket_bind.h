/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A socket of the node on a NodePort would never hear anything, and not know why: its bind fails instead. */
#ifndef EBC_SOCKET_BIND_H
#define EBC_SOCKET_BIND_H

#include <linux/in.h>

#include "count.h"
#include "socket_client.h"
#include "socket_verdict.h"

/*
 * Pods have addresses, and so ports, of their own. Port 0 asks the kernel for a free one, later, where no
 * hook looks; NodePorts lie outside the range it takes it from unless somebody changed either. An address
 * without a frontend of that port is nobody's NodePort.
 */
static __always_inline int ebc_sock_bind(struct bpf_sock_addr *ctx, const struct ebc_sockaddr *a)
{
	struct ebc_svc_key key = {.port = a->port, .proto = ctx->protocol, .scope = EBC_SCOPE_BIND};
	struct ebc_subject about = {
	    .flow.src = a->addr, .flow.sport = a->port, .proto = ctx->protocol, .hook = EBC_HOOK_SOCKET};
	const struct ebc_svc *guarded;

	if (!ebc_configured(EBC_CONFIG_BIND_GUARD) || !a->port || ctx->protocol > 255)
		return EBC_SOCK_KEEP;
	guarded = bpf_map_lookup_elem(&ebc_svc_v2, &key);
	if (!guarded || (guarded->flags & EBC_SVC_NODE_SERVER) || !ebc_sock_of_node(ctx))
		return EBC_SOCK_KEEP;
	about.service_id = guarded->service_id;
	if (!ebc_addr_is_any(&a->addr)) {
		key.addr = a->addr;
		key.scope = EBC_SCOPE_INTERNAL;
		guarded = bpf_map_lookup_elem(&ebc_svc_v2, &key);
		if (!guarded || (guarded->flags & EBC_SVC_NODE_SERVER))
			return EBC_SOCK_KEEP;
	}
	ebc_drop(&about, EBC_DROP_BIND);
	return EBC_SOCK_REFUSE;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A pod that reaches itself through a service must not see its own address as the peer: its kernel would take
 * the packet for a martian. The client's address is replaced by one that routes back to the gateway and can
 * belong to nobody: the pod's gateway itself, and for IPv6, where that one is link-local and needs a scope,
 * an address of the discard prefix 100::/64 (RFC 6666). The port stays.
 */
#ifndef EBC_HAIRPIN_H
#define EBC_HAIRPIN_H

#include "service_lookup.h"

static __always_inline void ebc_hairpin_address(struct ebc_addr *a, bool v6)
{
	if (v6) {
		a->w[0] = bpf_htonl(0x01000000);
		a->w[1] = 0;
		a->w[2] = 0;
		a->w[3] = bpf_htonl(0x0ecc0001);
	} else {
		a->w[0] = 0;
		a->w[1] = 0;
		a->w[2] = bpf_htonl(0xffff);
		a->w[3] = bpf_htonl(0xa9fe0101);
	}
}

static __always_inline bool ebc_is_hairpin_address(const struct ebc_addr *a)
{
	return a->w[3] == bpf_htonl(0xa9fe0101) ? ebc_addr_is_v4(a)
						: a->w[3] == bpf_htonl(0x0ecc0001) && !a->w[2] && !a->w[1] &&
						      a->w[0] == bpf_htonl(0x01000000);
}

#endif

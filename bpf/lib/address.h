/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Addresses: what they are by themselves, whatever the tables say. */
#ifndef EBC_ADDRESS_H
#define EBC_ADDRESS_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi/common_abi.h"

/* One branch, not four: the verifier follows each of them at every place. */
static __always_inline bool ebc_addr_eq(const struct ebc_addr *a, const struct ebc_addr *b)
{
	return !((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) | (a->w[3] ^ b->w[3]));
}

static __always_inline bool ebc_addr_is_v4(const struct ebc_addr *a)
{
	return !(a->w[0] | a->w[1] | (a->w[2] ^ bpf_htonl(0xffff)));
}

static __always_inline void ebc_addr_from_v4(struct ebc_addr *a, __be32 v4)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = v4;
}

/* All zero: none, and :: as a source. */
static __always_inline bool ebc_addr_unset(const struct ebc_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

/* 127.0.0.0/8 and ::1. */
static __always_inline bool ebc_loopback(const struct ebc_addr *a)
{
	if (ebc_addr_is_v4(a))
		return (a->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return !(a->w[0] | a->w[1] | a->w[2] | (a->w[3] ^ bpf_htonl(1)));
}

/* fe80::/10. */
static __always_inline bool ebc_v6_link_local(const struct ebc_addr *a)
{
	return (a->w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* Multicast, or the limited broadcast. */
static __always_inline bool ebc_v4_for_many(const struct ebc_addr *a)
{
	return (a->w[3] & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || a->w[3] == 0xffffffff;
}

static __always_inline bool ebc_v6_multicast(const struct ebc_addr *a)
{
	return (a->w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

/* 169.254.0.0/16: metadata services, caches and agents of the node have such addresses (RFC 3927). */
static __always_inline bool ebc_v4_link_local(const struct ebc_addr *a)
{
	return ebc_addr_is_v4(a) && (a->w[3] & bpf_htonl(0xffff0000)) == bpf_htonl(0xa9fe0000);
}

#endif

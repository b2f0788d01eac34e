/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Counts map lookups. Force-included before everything else (`make counted`): each call of the helper,
 * inlined by the JIT or not, adds one to a global that a test reads. The shipped objects are built without
 * it.
 */
#ifndef EBC_COUNTED_H
#define EBC_COUNTED_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* A section of its own: the map behind it has this one value, whatever other globals an object has. */
__u64 ebc_lookups SEC(".data.counted") = 0;

static __always_inline void *ebc_counted_lookup(void *map, const void *key)
{
	ebc_lookups++;
	return bpf_map_lookup_elem(map, key);
}

#define bpf_map_lookup_elem(map, key) ebc_counted_lookup(map, key)

#endif

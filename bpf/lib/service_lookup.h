/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Frontend to backend: one hash lookup, one array read. Reads maps, touches no packet. */
#ifndef EBC_SERVICE_LOOKUP_H
#define EBC_SERVICE_LOOKUP_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "abi/service_abi.h"
#include "address.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 524288);
	__type(key, struct ebc_svc_key);
	__type(value, struct ebc_svc);
} ebc_svc_v2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1048576);
	__type(key, __u32);
	__type(value, struct ebc_backend);
} ebc_backend_v1 SEC(".maps");

#define EBC_SVC_TRIES 4

/*
 * Copies a frontend, whole. Updating a hash element links a new one and frees the old one, and the kernel may
 * hand the freed memory to the next insertion of any key at once, without waiting for readers: preallocated
 * elements go back to a free list, others since Linux 6.1 to a per-CPU cache (kernel/bpf/hashtab.c,
 * free_htab_elem). A pointer from a lookup may thus change under our eyes into another service. So: copy,
 * look up again, and believe the copy only if the key still leads to the same element and that still reads
 * the same. offset and count, the words that must belong together, are besides one aligned 64-bit load.
 */
static __always_inline bool ebc_svc_find(const struct ebc_svc_key *key, struct ebc_svc *to)
{
	const volatile __u64 *again;
	const volatile __u64 *p;
	int try;

	_Pragma("unroll") for (try = 0; try < EBC_SVC_TRIES; try++)
	{
		__u64 a, b, c;

		p = bpf_map_lookup_elem(&ebc_svc_v2, key);
		if (!p)
			return false;
		a = p[0];
		b = p[1];
		c = p[2];
		again = bpf_map_lookup_elem(&ebc_svc_v2, key);
		if (again != p || !again || again[0] != a || again[1] != b || again[2] != c)
			continue;
		__builtin_memcpy(&to->offset, &a, sizeof(a));
		__builtin_memcpy(&to->service_id, &b, sizeof(b));
		__builtin_memcpy(&to->affinity_sec, &c, sizeof(c));
		return true;
	}
	/* Switched four times within a microsecond, which no agent does. As if it were not there. */
	return false;
}

/* The backend that a pick chooses. NULL if the table is inconsistent (never by our agent). */
static __always_inline struct ebc_backend *ebc_backend_at(__u32 index)
{
	return bpf_map_lookup_elem(&ebc_backend_v1, &index);
}

#endif

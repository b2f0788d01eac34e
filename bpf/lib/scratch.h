/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A program's working memory beyond its 512 bytes of stack. */
#ifndef EBC_SCRATCH_H
#define EBC_SCRATCH_H

#include "abi/conntrack_abi.h"
#include "count.h"

#define EBC_SCRATCH_SIZE 1024

/*
 * One for each CPU: packet programs run with softirqs off and are not interrupted by one another. It is also
 * what keeps verification short: the verifier knows nothing about what is read from a map, so it checks what
 * follows once, not once for each way in which it came about.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[EBC_SCRATCH_SIZE / 8]);
} ebc_scratch_v1 SEC(".maps");

static __always_inline void *ebc_scratch(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&ebc_scratch_v1, &only);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A packet program's working memory beyond its 512 bytes of stack. */
#ifndef EBC_SCRATCH_H
#define EBC_SCRATCH_H

#include <stddef.h>

#include "count.h"

/*
 * One for each CPU: packet programs run with softirqs off and are not interrupted by one another. It is also
 * what keeps verification short: the verifier knows nothing about what is read from a map, so it checks what
 * follows once, not once for each way in which it came about. It is the first thing of ebc_cpu, so that who
 * holds it reaches the counters without another lookup.
 */
static __always_inline void *ebc_scratch(void)
{
	return ebc_cpu();
}

static __always_inline struct ebc_cpu *ebc_scratch_cpu(void *scratch)
{
	return scratch;
}

_Static_assert(offsetof(struct ebc_cpu, scratch) == 0, "scratch comes first");

#endif

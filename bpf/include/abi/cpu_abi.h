/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What each CPU has for itself. */
#ifndef EBC_CPU_ABI_H
#define EBC_CPU_ABI_H

#include "conntrack_abi.h"
#include "events_abi.h"

#define EBC_SCRATCH_WORDS 128

/* What is rationed: a flood must not make the node send as much as it receives. */
enum ebc_ration {
	EBC_RATION_REFUSAL = 0, /* answers to what is for no listener */
	EBC_RATION_ERROR = 1,	/* answers about sizes and hops */
	EBC_RATION_RECORD = 2,	/* records of drops */
	EBC_RATION_MAX = 4,
};

/* A token bucket as the time at which it is full again (CLOCK_MONOTONIC). */
struct ebc_bucket {
	__u64 full_ns;
	__u64 suppressed; /* what it did not let pass, since the table was made */
};
_Static_assert(sizeof(struct ebc_bucket) == 16, "ebc_bucket");

/* The only element of the per-CPU array ebc_cpu_v1. One element, so one lookup, for all of it. */
struct ebc_cpu {
	__u64 scratch[EBC_SCRATCH_WORDS]; /* the packet that is being looked at; nothing in it outlives it */
	struct ebc_metric metrics[EBC_HOOK_SLOTS * EBC_REASON_SLOTS]; /* [hook * EBC_REASON_SLOTS + reason] */
	struct ebc_bucket buckets[EBC_RATION_MAX];		      /* [enum ebc_ration] */
	struct ebc_held held; /* a fragment on its way into ebc_held_v1; nothing in it outlives that */
};
_Static_assert(sizeof(struct ebc_cpu) == 1024 + 8192 + 64 + 2064, "ebc_cpu");

#endif

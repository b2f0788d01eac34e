/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Token buckets, one per CPU and kind: what a program sends or reports is bounded whatever it receives (RFC
 * 4443, 2.4 f). */
#ifndef EBC_RATION_H
#define EBC_RATION_H

#include "abi/cpu_abi.h"
#include "clock.h"
#include "config.h"

#define EBC_RATION_BURST (EBC_SECOND / 10) /* a tenth of a second's worth at once */

/*
 * May one more go out? Each takes 1/rate of a second out of the bucket; it is empty when the time at which it
 * would be full again lies a burst ahead. A change of the clock's reader between CPUs does not matter: the
 * bucket is this CPU's.
 */
static __always_inline bool ebc_ration(struct ebc_bucket *bucket, __u32 rate)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 full = bucket->full_ns > now ? bucket->full_ns : now;

	if (!rate || full - now >= EBC_RATION_BURST) {
		bucket->suppressed++;
		return false;
	}
	bucket->full_ns = full + EBC_SECOND / rate;
	return true;
}

#endif

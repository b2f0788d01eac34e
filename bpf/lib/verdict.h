/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is said about a packet: it goes on as it is, or it is lost. Each is counted once. */
#ifndef EBC_VERDICT_H
#define EBC_VERDICT_H

#include <linux/pkt_cls.h>

#include "parse.h"

/*
 * The next program or filter of the device, and in the end the stack. Not TC_ACT_OK, which would end the
 * chain: on tcx all programs behind this one, and every clsact filter, would not see the packet.
 */
#define EBC_GO_ON TC_ACT_UNSPEC

/* Instead of a drop reason: this skb has served, and its packet was counted where it was taken (held.h). */
#define EBC_TAKEN EBC_REASON_SLOTS

static __always_inline int ebc_pass(struct ebc_packet *p, int reason)
{
	ebc_count_on(ebc_scratch_cpu(p), &p->about, reason);
	return EBC_GO_ON;
}

static __always_inline int ebc_refuse(struct ebc_packet *p, int reason)
{
	ebc_drop(&p->about, reason);
	return TC_ACT_SHOT;
}

/* What every healthy host sends now and then and nothing has to receive: counted, but no news. */
static __always_inline int ebc_ignore(struct ebc_packet *p, int reason)
{
	ebc_count_on(ebc_scratch_cpu(p), &p->about, reason);
	return TC_ACT_SHOT;
}

#endif

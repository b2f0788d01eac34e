/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* "Seen here already": for a packet that a program hands to another device, whose program is to let it pass.
 */
#ifndef EBC_MARK_H
#define EBC_MARK_H

#include <linux/bpf.h>
#include <stdbool.h>

/*
 * Two words of skb->cb. The kernel leaves them alone between a redirect and the programs at the egress of the
 * device that it leads to; tc_index and tc_classid are overwritten there, and skb->mark is the operator's.
 * What is sent by a socket or forwarded has the IP layer's own data there: flags, lengths and offsets, which
 * are small.
 */
#define EBC_MARK_A 0xebc15ee1
#define EBC_MARK_B 0x1ee51cbe

static __always_inline void ebc_mark(struct __sk_buff *skb)
{
	skb->cb[3] = EBC_MARK_A;
	skb->cb[4] = EBC_MARK_B;
}

/* Asks once: the mark is taken off. */
static __always_inline bool ebc_marked(struct __sk_buff *skb)
{
	if (skb->cb[3] != EBC_MARK_A || skb->cb[4] != EBC_MARK_B)
		return false;
	skb->cb[4] = 0;
	return true;
}

#endif

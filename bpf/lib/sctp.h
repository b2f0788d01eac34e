/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* SCTP: what its chunks say about an association, and its checksum after a change of ports. */
#ifndef EBC_SCTP_H
#define EBC_SCTP_H

#include <stddef.h>

#include "abi/conntrack_abi.h"
#include "parse.h"

enum ebc_sctp_chunk {
	EBC_SCTP_INIT = 1,
	EBC_SCTP_INIT_ACK = 2,
	EBC_SCTP_HEARTBEAT = 4,
	EBC_SCTP_ABORT = 6,
	EBC_SCTP_SHUTDOWN = 7,
	EBC_SCTP_SHUTDOWN_ACK = 8,
	EBC_SCTP_ERROR = 9,
	EBC_SCTP_COOKIE_ECHO = 10,
	EBC_SCTP_SHUTDOWN_COMPLETE = 14,
};

struct ebc_sctp_header {
	__be16 source;
	__be16 dest;
	__be32 tag;
	__le32 check;
};

/*
 * The next state of an association. What decides is the first chunk: the ones that open or end it come first
 * or alone (RFC 9260, 6.10). An open association is known by what only an open one carries, so one that was
 * met halfway is seen to be open as well.
 */
static __always_inline __u8 ebc_sctp_next(__u8 state, __u8 chunk, bool answered)
{
	if (chunk == EBC_SCTP_ABORT || chunk == EBC_SCTP_SHUTDOWN || chunk == EBC_SCTP_SHUTDOWN_ACK ||
	    chunk == EBC_SCTP_SHUTDOWN_COMPLETE)
		return EBC_CTS_SCTP_CLOSING;
	if (state != EBC_CTS_SCTP_OPENING || !answered || chunk == EBC_SCTP_INIT ||
	    chunk == EBC_SCTP_INIT_ACK || chunk == EBC_SCTP_COOKIE_ECHO || chunk == EBC_SCTP_HEARTBEAT ||
	    chunk == EBC_SCTP_ERROR)
		return state;
	return EBC_CTS_SCTP_ESTABLISHED;
}

#define EBC_CRC32C 0x82f63b78u /* Castagnoli's polynomial, lowest power in the highest bit */

/* Product of two polynomials over GF(2), modulo that one. Not static: verified once, not for each call. */
__noinline __u32 ebc_crc32c_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;
	int i;

	for (i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = (b >> 1) ^ (EBC_CRC32C & -(b & 1));
	}
	return product;
}

/* diff * x^(8 * bytes), bytes below 2^16: bit k of the length contributes a factor x^(8 * 2^k). */
static __noinline __u32 ebc_crc32c_shift(__u32 diff, __u32 bytes)
{
#define EBC_SHIFT(k, power)      \
	if (bytes & (1u << (k))) \
		diff = ebc_crc32c_multiply(diff, power);
	EBC_SHIFT(0, 0x00800000u)
	EBC_SHIFT(1, 0x00008000u)
	EBC_SHIFT(2, 0x82f63b78u)
	EBC_SHIFT(3, 0x6ea2d55cu)
	EBC_SHIFT(4, 0x18b8ea18u)
	EBC_SHIFT(5, 0x510ac59au)
	EBC_SHIFT(6, 0xb82be955u)
	EBC_SHIFT(7, 0xb8fdb1e7u)
	EBC_SHIFT(8, 0x88e56f72u)
	EBC_SHIFT(9, 0x74c360a4u)
	EBC_SHIFT(10, 0xe4172b16u)
	EBC_SHIFT(11, 0x0d65762au)
	EBC_SHIFT(12, 0x35d73a62u)
	EBC_SHIFT(13, 0x28461564u)
	EBC_SHIFT(14, 0xbf455269u)
	EBC_SHIFT(15, 0xe2ea32dcu)
#undef EBC_SHIFT
	return diff;
}

/*
 * Writes both ports and corrects the checksum: a CRC32c over header and chunks, of which no address is part,
 * so only ports cost anything. The kernel has no helper for it, but a CRC is linear: what a difference at the
 * start does to it is the difference times a power of x that the length alone decides. That is the length in
 * the IP header; what follows it in the frame is padding. 0 in the field stands for a checksum that the
 * device will compute, over the field as it is (skb_crc32c_csum_help), so it must stay 0. (One real checksum
 * in 2^32 is 0, too; that packet is lost, and sent again with other chunks.) A first fragment knows the
 * length of itself alone: it cannot be corrected.
 */
__noinline int ebc_sctp_rewrite(struct __sk_buff *skb)
{
	const struct ebc_packet *p = ebc_scratch();
	__u32 old_ports, new_ports, crc, at;

	if (!p)
		return -1;
	at = p->l4 + offsetof(struct ebc_sctp_header, check);
	__builtin_memcpy(&old_ports, &p->about.flow.sport, 4);
	__builtin_memcpy(&new_ports, &p->to.sport, 4);
	if (old_ports == new_ports)
		return 0;
	if (bpf_skb_load_bytes(skb, at, &crc, sizeof(crc)))
		return -1;
	if (crc) {
		if (p->flags & EBC_PKT_FIRST)
			return -1;
		crc ^= ebc_crc32c_shift(old_ports ^ new_ports, (EBC_IP_OFFSET + p->ip_len - p->l4) & 0xffff);
		if (bpf_skb_store_bytes(skb, at, &crc, sizeof(crc), BPF_F_RECOMPUTE_CSUM))
			return -1;
	}
	return bpf_skb_store_bytes(skb, p->l4, &new_ports, sizeof(new_ports), BPF_F_RECOMPUTE_CSUM);
}

#endif

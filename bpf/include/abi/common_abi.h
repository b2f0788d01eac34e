/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The contract between the kernel half and the agent: data only, no map, no code. Every struct here is
 * mirrored in src/Ebpf.Cni.Abi, and a test compares the two through BTF, so: fixed-width fields, padding
 * written out as pad*, no bit-fields, no enums as fields. Addresses and ports are in network byte order and
 * typed so; all else is native.
 */
#ifndef EBC_COMMON_ABI_H
#define EBC_COMMON_ABI_H

#include <linux/types.h>

/* An IP address of either family; IPv4 is mapped (::ffff:a.b.c.d), so one table and one lookup serve both. */
struct ebc_addr {
	__be32 w[4];
};
_Static_assert(sizeof(struct ebc_addr) == 16, "ebc_addr");

#endif

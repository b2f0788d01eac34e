/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The conntrack table, and its replacement by one of another size.
 *
 * The agent replaces programs one after the other, so for a while packets of one connection meet programs of
 * the former table and of the new one. In between are programs with EBC_CONFIG_RESIZE, which use both: what
 * they insert or delete, they insert or delete in both, and what they find is the later of two entries.
 * Programs of the former table are replaced by these first; then the agent copies what only the former one
 * has, and these are replaced by programs of the new table. So no program misses an entry that another one
 * has made.
 */
#ifndef EBC_CONNTRACK_TABLE_H
#define EBC_CONNTRACK_TABLE_H

#include "abi/conntrack_abi.h"
#include "config.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 262144);
	__type(key, struct ebc_ct_key);
	__type(value, struct ebc_ct);
} ebc_ct_v2 SEC(".maps");

/* The former table; without EBC_CONFIG_RESIZE no program reads or writes it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct ebc_ct_key);
	__type(value, struct ebc_ct);
} ebc_ct_old_v2 SEC(".maps");

static __always_inline struct ebc_ct *ebc_ct_lookup(const struct ebc_ct_key *key)
{
	struct ebc_ct *ct = bpf_map_lookup_elem(&ebc_ct_v2, key);
	struct ebc_ct *old;

	if (!ebc_configured(EBC_CONFIG_RESIZE))
		return ct;
	old = bpf_map_lookup_elem(&ebc_ct_old_v2, key);
	if (!ct)
		return old;
	/* A program of the former table has begun another connection under the key since it was copied. */
	return old && old->created_ns > ct->created_ns ? old : ct;
}

static __always_inline void ebc_ct_delete(const struct ebc_ct_key *key)
{
	if (ebc_configured(EBC_CONFIG_RESIZE))
		bpf_map_delete_elem(&ebc_ct_old_v2, key);
	bpf_map_delete_elem(&ebc_ct_v2, key);
}

/* Into the former table first: of two programs that claim a key with BPF_NOEXIST one succeeds there, whatever
 * tables they use. */
static __always_inline int ebc_ct_put(const struct ebc_ct_key *key, const struct ebc_ct *ct, __u64 how)
{
	int error;

	if (!ebc_configured(EBC_CONFIG_RESIZE))
		return bpf_map_update_elem(&ebc_ct_v2, key, ct, how);
	error = bpf_map_update_elem(&ebc_ct_old_v2, key, ct, how);
	if (error)
		return error;
	/* What is there is a copy of an entry that is gone. If it fails, the agent copies the entry. */
	bpf_map_update_elem(&ebc_ct_v2, key, ct, BPF_ANY);
	return 0;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The conntrack tables, TCP apart from all else: short flows of datagrams must not push idle connections out.
 * And the replacement of either by one of another size.
 *
 * The agent replaces programs one after the other, so for a while packets of one connection meet programs of
 * the former table and of the new one. In between are programs with EBC_CONFIG_RESIZE_TCP or _ANY, which use
 * both: what they insert or delete, they insert or delete in both, and what they find is the later of two
 * entries. Programs of the former table are replaced by these first; then the agent copies what only the
 * former one has, and these are replaced by programs of the new table. So no program misses an entry that
 * another one has made.
 */
#ifndef EBC_CONNTRACK_TABLE_H
#define EBC_CONNTRACK_TABLE_H

#include <linux/in.h>

#include "abi/conntrack_abi.h"
#include "config.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 262144);
	__type(key, struct ebc_ct_key);
	__type(value, struct ebc_ct);
} ebc_ct_tcp_v3 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, struct ebc_ct_key);
	__type(value, struct ebc_ct);
} ebc_ct_any_v3 SEC(".maps");

/* The former tables; without the flags no program reads or writes them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct ebc_ct_key);
	__type(value, struct ebc_ct);
} ebc_tcp_old_v3 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct ebc_ct_key);
	__type(value, struct ebc_ct);
} ebc_any_old_v3 SEC(".maps");

/* A program of the former table may have begun another connection under the key since it was copied. */
static __always_inline struct ebc_ct *ebc_ct_later(struct ebc_ct *ct, struct ebc_ct *old)
{
	if (!ct)
		return old;
	return old && old->created_ns > ct->created_ns ? old : ct;
}

static __always_inline struct ebc_ct *ebc_ct_lookup(const struct ebc_ct_key *key)
{
	struct ebc_ct *ct;

	if (key->proto == IPPROTO_TCP) {
		ct = bpf_map_lookup_elem(&ebc_ct_tcp_v3, key);
		if (ebc_configured(EBC_CONFIG_RESIZE_TCP))
			return ebc_ct_later(ct, bpf_map_lookup_elem(&ebc_tcp_old_v3, key));
		return ct;
	}
	ct = bpf_map_lookup_elem(&ebc_ct_any_v3, key);
	if (ebc_configured(EBC_CONFIG_RESIZE_ANY))
		return ebc_ct_later(ct, bpf_map_lookup_elem(&ebc_any_old_v3, key));
	return ct;
}

/* 0, or negative if there was none. */
static __always_inline long ebc_ct_remove(const struct ebc_ct_key *key)
{
	if (key->proto == IPPROTO_TCP) {
		if (ebc_configured(EBC_CONFIG_RESIZE_TCP))
			bpf_map_delete_elem(&ebc_tcp_old_v3, key);
		return bpf_map_delete_elem(&ebc_ct_tcp_v3, key);
	}
	if (ebc_configured(EBC_CONFIG_RESIZE_ANY))
		bpf_map_delete_elem(&ebc_any_old_v3, key);
	return bpf_map_delete_elem(&ebc_ct_any_v3, key);
}

/*
 * While a table is replaced, into the former one first: of two programs that claim a key with BPF_NOEXIST one
 * succeeds there, whatever tables they use. What is in the new one then is a copy of an entry that is gone;
 * if writing it fails, the agent copies the entry.
 */
static __always_inline long ebc_ct_put(const struct ebc_ct_key *key, const struct ebc_ct *ct, __u64 how)
{
	long error;

	if (key->proto == IPPROTO_TCP) {
		if (!ebc_configured(EBC_CONFIG_RESIZE_TCP))
			return bpf_map_update_elem(&ebc_ct_tcp_v3, key, ct, how);
		error = bpf_map_update_elem(&ebc_tcp_old_v3, key, ct, how);
		if (!error)
			bpf_map_update_elem(&ebc_ct_tcp_v3, key, ct, BPF_ANY);
		return error;
	}
	if (!ebc_configured(EBC_CONFIG_RESIZE_ANY))
		return bpf_map_update_elem(&ebc_ct_any_v3, key, ct, how);
	error = bpf_map_update_elem(&ebc_any_old_v3, key, ct, how);
	if (!error)
		bpf_map_update_elem(&ebc_ct_any_v3, key, ct, BPF_ANY);
	return error;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What each backend of each service got. */
#ifndef EBC_STAT_H
#define EBC_STAT_H

#include "service_lookup.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_stat_key);
	__type(value, struct ebc_stat);
} ebc_stat_v1 SEC(".maps");

/*
 * Adds *more to a backend's counts. NOEXIST: of two CPUs that meet a backend first, one makes the element and
 * both add to it. If the LRU reuses the element in that instant, another one's counts grow: never a wrong
 * decision, and rarer than anything a counter is read for.
 */
static __noinline int ebc_stat_add(const struct ebc_stat_key *key, const struct ebc_stat *more)
{
	struct ebc_stat *stat = bpf_map_lookup_elem(&ebc_stat_v1, key);

	if (!stat) {
		struct ebc_stat none = {};

		bpf_map_update_elem(&ebc_stat_v1, key, &none, BPF_NOEXIST);
		stat = bpf_map_lookup_elem(&ebc_stat_v1, key);
		if (!stat)
			return 0;
	}
	if (more->connections)
		__sync_fetch_and_add(&stat->connections, more->connections);
	if (more->packets_to)
		__sync_fetch_and_add(&stat->packets_to, more->packets_to);
	if (more->bytes_to)
		__sync_fetch_and_add(&stat->bytes_to, more->bytes_to);
	if (more->packets_from)
		__sync_fetch_and_add(&stat->packets_from, more->packets_from);
	if (more->bytes_from)
		__sync_fetch_and_add(&stat->bytes_from, more->bytes_from);
	return 0;
}

static __always_inline struct ebc_stat_key ebc_stat_key(__u32 service_id, const struct ebc_addr *addr,
							__be16 port)
{
	struct ebc_stat_key key = {.addr = *addr, .service_id = service_id, .port = port};

	return key;
}

/* A connection begins. */
static __noinline void ebc_stat_connection(__u32 service_id, const struct ebc_backend *b)
{
	struct ebc_stat_key key = ebc_stat_key(service_id, &b->addr, b->port);
	struct ebc_stat one = {.connections = 1};

	ebc_stat_add(&key, &one);
}

#endif

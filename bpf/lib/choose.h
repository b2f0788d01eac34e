/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which backend: membership in a segment, session affinity, choice. For packets and for sockets alike. */
#ifndef EBC_CHOOSE_H
#define EBC_CHOOSE_H

#include "service_lookup.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_affinity_key);
	__type(value, struct ebc_affinity);
} ebc_aff_v1 SEC(".maps");

/* ebc_backend_v1 has at most 2^20 elements: one element is left after 20 halvings. */
#define EBC_SERVES_STEPS 20
#define EBC_AFFINITY_SECOND 1000000000ULL

/* murmur3's finalizer: neighbouring inputs land far apart. */
static __always_inline __u32 ebc_mix64(__u64 x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return (x ^ (x >> 33)) >> 32;
}

/* Two words of an address as a number that sorts like their bytes. */
static __always_inline __u64 ebc_addr_half(const struct ebc_addr *a, int first)
{
	return (__u64)bpf_ntohl(a->w[first]) << 32 | bpf_ntohl(a->w[first + 1]);
}

static __always_inline bool ebc_backend_matches(const struct ebc_backend *b, const struct ebc_addr *addr,
						__be16 port)
{
	return b && ebc_addr_eq(&b->addr, addr) && b->port == port;
}

/* 1 if a - b - borrow is below 0: comparing without a branch, which the verifier would have to follow. */
static __always_inline __u64 ebc_borrow(__u64 a, __u64 b, __u64 borrow)
{
	return ((~a & b) | ((~a | b) & (a - b - borrow))) >> 63;
}

/*
 * Is {addr, port} one of the elements [first, first + count) of the table, sorted by address and port in
 * network order? *at, a guess, is tried first and says where it was found. The length of what is left does
 * not depend on the comparisons, and a position is never an offset into memory: for the verifier all ways
 * through a step are one.
 */
static __noinline bool ebc_run_has(__u32 first, __u32 count, const struct ebc_addr *addr, __be16 port,
				   __u32 *at)
{
	__u64 high = ebc_addr_half(addr, 0), low = ebc_addr_half(addr, 2);
	__u64 number = bpf_ntohs(port);
	__u32 left = count;
	int i;

	if (*at - first < count && ebc_backend_matches(ebc_backend_at(*at), addr, port))
		return true;
	if (!count)
		return false;
	for (i = 0; i < EBC_SERVES_STEPS && left > 1; i++) {
		__u32 half = left >> 1;
		const struct ebc_backend *b = ebc_backend_at(first + half);
		__u64 borrow;

		if (!b)
			return false;
		borrow = (number - bpf_ntohs(b->port)) >> 63;
		borrow = ebc_borrow(low, ebc_addr_half(&b->addr, 2), borrow);
		borrow = ebc_borrow(high, ebc_addr_half(&b->addr, 0), borrow);
		first += half & ((__u32)borrow - 1);
		left -= half;
	}
	*at = first;
	return ebc_backend_matches(ebc_backend_at(first), addr, port);
}

/*
 * Is {addr, port} one of [from, from + count) of the service's segment (0 and svc->count: what is chosen
 * from; svc->count and svc->tail: what only goes on)? *index, a position in the segment, is tried first; it
 * is set where the answer is yes.
 */
static __always_inline bool ebc_serves(const struct ebc_svc *svc, __u32 from, __u32 count,
				       const struct ebc_addr *addr, __be16 port, __u32 *index)
{
	__u32 at = svc->offset + *index;

	if (!ebc_run_has(svc->offset + from, count, addr, port, &at))
		return false;
	*index = at - svc->offset;
	return true;
}

/*
 * The backend of a client with session affinity. Elements of an LRU map are reused while a reader may still
 * hold them, so what is read here may belong, in part, to another client: it is copied, and the copy is
 * believed only if it is a backend of this service. The worst is thus another backend of the same service, or
 * an entry of somebody else that lives a little longer.
 *
 * What has no entry is chosen by the client's address and not at random: connections that begin at the same
 * time on several CPUs agree, and an entry that the LRU gave up is mostly found again.
 */
static __noinline const struct ebc_backend *
ebc_choose_affine(const struct ebc_svc *svc, const struct ebc_addr *client, __u32 pick, __u32 *index)
{
	struct ebc_affinity_key key = {.client = *client, .service_id = svc->service_id};
	__u64 now = bpf_ktime_get_ns();
	struct ebc_affinity entry = {};
	const struct ebc_backend *b;
	struct ebc_affinity *known;

	*index = ebc_mix64(ebc_addr_half(client, 0) ^ ebc_mix64(ebc_addr_half(client, 2) ^ svc->service_id)) %
		 svc->count;
	known = bpf_map_lookup_elem(&ebc_aff_v1, &key);
	if (known) {
		entry = *known;
		/* Another CPU may have written after we read the clock. */
		if ((now < entry.last_used_ns ||
		     now - entry.last_used_ns < svc->affinity_sec * EBC_AFFINITY_SECOND) &&
		    ebc_serves(svc, 0, svc->count, &entry.addr, entry.port, index)) {
			known->last_used_ns = now;
			return ebc_backend_at(svc->offset + *index);
		}
		/* Its time is over: from now on any will do, not the same one for ever. */
		*index = pick % svc->count;
	}
	b = ebc_backend_at(svc->offset + *index);
	if (!b)
		return NULL;
	entry.addr = b->addr;
	entry.port = b->port;
	entry.pad0 = 0;
	entry.pad1 = 0;
	entry.last_used_ns = now;
	bpf_map_update_elem(&ebc_aff_v1, &key, &entry, BPF_ANY);
	return b;
}

/* The backend for a new connection, and its position in the segment; count must not be 0. NULL if the table
 * is inconsistent (never by our agent). Without affinity pick decides and client is not looked at. */
static __always_inline const struct ebc_backend *
ebc_choose(const struct ebc_svc *svc, const struct ebc_addr *client, __u32 pick, __u32 *index)
{
	if (svc->affinity_sec)
		return ebc_choose_affine(svc, client, pick, index);
	*index = pick % svc->count;
	return ebc_backend_at(svc->offset + *index);
}

#endif

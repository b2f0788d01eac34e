/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Deleting dead connections. The agent walks the table and says which look dead; whether they are is judged
 * here, where it is still true when the entry goes.
 */
#ifndef EBC_REAP_H
#define EBC_REAP_H

#include "conntrack_lookup.h"
#include "stat.h"

/* Keys in one run: they fit, behind an Ethernet header, into the one page that a test run takes. */
#define EBC_REAP_MAX 64
#define EBC_REAP_OFFSET 14

/* What an entry has counted goes to its backend: the destination of what the client sends, and the source of
 * the answers. */
static __always_inline void ebc_reap_count(const struct ebc_ct_key *key, const struct ebc_ct *ct)
{
	bool reply = ct->flags & EBC_CT_REPLY;
	struct ebc_stat more = {};
	struct ebc_stat_key to;

	if (reply) {
		to = ebc_stat_key(ct->service_id, &key->src, key->sport);
		more.packets_from = ct->packets;
		more.bytes_from = ct->bytes;
	} else {
		to = ebc_stat_key(ct->service_id, &ct->dst, ct->dport);
		more.packets_to = ct->packets;
		more.bytes_to = ct->bytes;
	}
	ebc_stat_add(&to, &more);
}

/*
 * Deletes an entry that was judged. The LRU may since have given its memory to another key, and a packet may
 * have begun a new connection under the same one; so the key must still lead to the same element and that
 * still be of the same connection. (A packet that comes between this look and the deletion meets a dead
 * entry, and what it makes instead is lost: a window of nanoseconds, for a connection that begins in it.)
 */
static __always_inline bool ebc_reap_delete(const struct ebc_ct_key *key, const struct ebc_ct *ct,
					    const struct ebc_ct *judged)
{
	const struct ebc_ct *again = ebc_ct_lookup(key);

	return again && again == ct && again->created_ns == judged->created_ns &&
	       again->last_seen_ns == judged->last_seen_ns && ebc_ct_delete(key, judged->created_ns);
}

/*
 * 1 if the connection of a key was dead and is gone. Not static, so that the verifier follows it once and not
 * once for each key; older ones then want arguments that are the packet or numbers.
 */
__noinline int ebc_reap_pair(struct __sk_buff *skb, __u32 at)
{
	__u64 now = bpf_ktime_get_ns();
	const struct ebc_ct *ct, *twin;
	struct ebc_ct copy, other = {};
	struct ebc_ct_key twin_key, key;
	struct ebc_flow out;

	if (bpf_skb_load_bytes(skb, at, &key, sizeof(key)))
		return 0;
	ct = ebc_ct_lookup(&key);
	if (!ct)
		return 0;
	copy = *ct;
	if (!ebc_ct_expired(&copy, now))
		return 0;
	ebc_ct_flow(&copy, &out);
	ebc_ct_twin(&out, key.proto, &twin_key);
	twin = ebc_ct_lookup(&twin_key);
	if (twin)
		other = *twin;
	/* Under the twin's key there may be an entry of a later connection, which is none of ours. */
	if (other.created_ns != copy.created_ns)
		twin = NULL;
	if (twin && !ebc_ct_expired(&other, now))
		return 0;
	if (!ebc_reap_delete(&key, ct, &copy))
		return 0;
	if (twin && !ebc_reap_delete(&twin_key, twin, &other))
		twin = NULL;
	if (!(copy.flags & EBC_CT_SERVICE))
		return 1;
	ebc_reap_count(&key, &copy);
	if (twin)
		ebc_reap_count(&twin_key, &other);
	return 1;
}

/* Keys, one after the other, behind an Ethernet header that says nothing. Returns how many connections went.
 */
static __always_inline int ebc_reap(struct __sk_buff *skb)
{
	__u32 at = EBC_REAP_OFFSET;
	int i, gone = 0;

	for (i = 0; i < EBC_REAP_MAX; i++) {
		if (at + sizeof(struct ebc_ct_key) > skb->len)
			break;
		gone += ebc_reap_pair(skb, at);
		at += sizeof(struct ebc_ct_key);
	}
	return gone;
}

#endif

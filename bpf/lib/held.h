/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fragments in any order. A later one from the network that comes before the first waits here for its ports.
 * When the first comes, all of them arrive once more, at the same device and in the order in which a host
 * sends them. What is taken is counted as forwarded, and once more as what becomes of it then.
 */
#ifndef EBC_HELD_H
#define EBC_HELD_H

#include "conntrack.h"
#include "fragment.h"
#include "verdict.h"

/* In skb->cb, where the kernel leaves it alone between a redirect and the programs at the ingress of the same
 * device. */
#define EBC_AGAIN_A 0xebc2a6a1
#define EBC_AGAIN_B 0x1a6a2cbe

/* Less than 2 MiB. A flood of fragments pushes out other fragments, and nothing else. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 768);
	__type(key, struct ebc_held_key);
	__type(value, struct ebc_held);
} ebc_held_v1 SEC(".maps");

/*
 * Does the packet arrive again? Asks once: the mark is taken off. What came out of a tunnel has lost the key
 * that tells by which, so the mark also says that the key has been checked.
 */
static __always_inline bool ebc_again(struct __sk_buff *skb, struct ebc_packet *p)
{
	if (skb->cb[3] == EBC_AGAIN_A && skb->cb[4] == EBC_AGAIN_B) {
		skb->cb[4] = 0;
		p->flags |= EBC_PKT_AGAIN;
	}
	return p->flags & EBC_PKT_AGAIN;
}

static __always_inline void ebc_held_key(const struct ebc_packet *p, __u32 slot, struct ebc_held_key *key)
{
	ebc_frag_key(p, &key->of);
	key->ifindex = p->about.ifindex;
	key->slot = slot;
}

/*
 * May it have to be translated? To this node, to one of its pods, or to what may be a frontend, whose address
 * alone does not show. Not what passes by on its way to other nodes and their pods: its first fragment may
 * take another way.
 */
static __always_inline bool ebc_awaits_ports(struct ebc_packet *p)
{
	return ebc_to_local_pod(p) || ebc_to_this_node(p) ||
	       !(p->place.kind & (EBC_IPCACHE_POD | EBC_IPCACHE_NODE));
}

/* The next free place of a datagram, NOEXIST: another CPU may take it. False if none is left. */
static __always_inline bool ebc_held_insert(struct ebc_held_key *key, const struct ebc_held *held)
{
	long error;
	__u32 i;

	for (i = 0; i < EBC_HELD_SLOTS; i++) {
		key->slot = i;
		/* Asked first, since the LRU may evict an element to make room even where it then inserts
		 * none. */
		if (bpf_map_lookup_elem(&ebc_held_v1, key))
			continue;
		error = bpf_map_update_elem(&ebc_held_v1, key, held, BPF_NOEXIST);
		if (!error)
			return true;
		if (error != -EBC_EEXIST)
			return false;
	}
	return false;
}

/*
 * The packet, a later fragment, waits for its first one: EBC_TAKEN; or negative if it cannot or need not. Not
 * static, as those below, so that the verifier follows it once.
 */
__noinline int ebc_hold(struct __sk_buff *skb)
{
	struct ebc_packet *p = ebc_scratch();
	struct ebc_held_key key;
	struct ebc_held *held;
	__u32 len = skb->len;

	if (!p)
		return -1;
	held = &ebc_scratch_cpu(p)->held;
	/* Bounds hidden from the optimizer, one by one, for the verifier (reject.h). */
	asm volatile("" : "+r"(len));
	if (len < EBC_IP_OFFSET)
		return -1;
	asm volatile("" : "+r"(len));
	if (len > EBC_FRAME_MAX || bpf_skb_load_bytes(skb, 0, held->frame, len))
		return -1;
	held->time_ns = bpf_ktime_get_ns();
	held->len = len;
	held->pad0 = 0;
	ebc_held_key(p, 0, &key);
	if (!ebc_held_insert(&key, held))
		return -1;
	/* The first may have come meanwhile, on another CPU, and not have found this one. Who deletes it has
	 * it. */
	if (ebc_frag_find(p) && !bpf_map_delete_elem(&ebc_held_v1, &key))
		return -1;
	ebc_count_on(ebc_scratch_cpu(p), &p->about, EBC_REASON_FORWARDED);
	return EBC_TAKEN;
}

/* The skb becomes the held frame. The Ethernet header is in no checksum of the device's. */
static __always_inline int ebc_held_fill(struct __sk_buff *skb, const struct ebc_held *held)
{
	__u32 len = held->len;

	if (bpf_skb_change_tail(skb, len, 0) || bpf_skb_store_bytes(skb, 0, held->frame, EBC_IP_OFFSET, 0))
		return -1;
	len -= EBC_IP_OFFSET;
	asm volatile("" : "+r"(len));
	if (len < EBC_V4_HEADER)
		return -1;
	asm volatile("" : "+r"(len));
	if (len > EBC_FRAME_MAX - EBC_IP_OFFSET ||
	    bpf_skb_store_bytes(skb, EBC_IP_OFFSET, held->frame + EBC_IP_OFFSET, len, BPF_F_RECOMPUTE_CSUM))
		return -1;
	/* What the device has said about the first one's checksum says nothing about this one's. */
	bpf_csum_level(skb, BPF_CSUM_LEVEL_RESET);
	return 0;
}

/* The held fragment in a place arrives, in an skb that is not needed any more. False if there is none. */
__noinline int ebc_held_arrive(struct __sk_buff *skb, __u32 slot)
{
	struct ebc_packet *p = ebc_scratch();
	const struct ebc_held *held, *again;
	struct ebc_held_key key;
	__u64 time;
	int error;

	if (!p)
		return false;
	ebc_held_key(p, slot, &key);
	held = bpf_map_lookup_elem(&ebc_held_v1, &key);
	if (!held)
		return false;
	time = held->time_ns;
	error = ebc_frag_expired(time) || ebc_held_fill(skb, held);
	/* The LRU may give an element to another datagram while it is read: believed only if it is still the
	 * same. */
	again = bpf_map_lookup_elem(&ebc_held_v1, &key);
	if (again != held || !again || again->time_ns != time)
		return true;
	if (!bpf_map_delete_elem(&ebc_held_v1, &key) && !error)
		bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	return true;
}

/*
 * The packet is a first fragment. If later ones wait for it, it arrives once more itself and they after it:
 * EBC_TAKEN; else negative.
 */
__noinline int ebc_held_release(struct __sk_buff *skb)
{
	struct ebc_packet *p = ebc_scratch();
	struct ebc_held_key key;
	__u32 i;

	if (!p)
		return -1;
	ebc_held_key(p, 0, &key);
	if (!bpf_map_lookup_elem(&ebc_held_v1, &key))
		return -1;
	skb->cb[3] = EBC_AGAIN_A;
	skb->cb[4] = EBC_AGAIN_B;
	if (bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS)) {
		skb->cb[4] = 0;
		return -1;
	}
	for (i = 0; i < EBC_HELD_SLOTS; i++)
		if (!ebc_held_arrive(skb, i))
			break;
	ebc_count_on(ebc_scratch_cpu(p), &p->about, EBC_REASON_FORWARDED);
	return EBC_TAKEN;
}

/*
 * A host sends the fragments of a datagram in order, first one first, and a pod's veth does not reorder them;
 * so what a pod sends is always known. From the network a later one may overtake the first. EBC_TAKEN, or
 * negative: it goes on now, with ports if they are known.
 */
static __always_inline int ebc_fragment(struct __sk_buff *skb, struct ebc_packet *p)
{
	if (!ebc_has_ports(p->about.proto) && !ebc_is_icmp(p))
		return -1;
	if (p->flags & EBC_PKT_FIRST) {
		ebc_frag_learn(p);
		return ebc_from_network(p) && !ebc_again(skb, p) ? ebc_held_release(skb) : -1;
	}
	if (ebc_frag_ports(p) || !ebc_from_network(p) || ebc_again(skb, p) || !ebc_awaits_ports(p))
		return -1;
	return ebc_hold(skb);
}

#endif

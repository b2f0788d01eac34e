// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Repeated test runs of a tc program. The kernel hands each repetition the packet that the last one left, so
 * a wrapper restores the packet, varies its flow, and tail-calls the program under test. The same wrapper
 * with the empty program is the baseline.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "mark.h"

#define EBC_BENCH_HEADERS 192
#define EBC_BENCH_PORTS 32768 /* from 1024 on; then the next source address */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Mirror: PacketTemplate. */
struct ebc_bench {
	__u8 headers[EBC_BENCH_HEADERS];
	__u32 length;  /* bytes of headers */
	__u32 program; /* index in ebc_bench_progs */
	__u32 flows;   /* a power of two, 0 for 2^32; 1: the packet as it is */
	__u32 flow;    /* number of the next one */
	__u32 source;  /* offset of the last word of the source address */
	__u32 ports;   /* offset of the source port */
	__u32 first;   /* last word of the first source address, host order */
	__u32 peer;    /* tunnelled: IPv4 address of the node that encapsulated it, host order */
	__u32 vni;
	__u32 marked; /* sent to this device by a program */
};
_Static_assert(sizeof(struct ebc_bench) == 232, "ebc_bench");

struct ebc_bench ebc_bench;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} ebc_bench_progs SEC(".maps");

static __always_inline bool ebc_bench_restore(struct __sk_buff *skb)
{
	struct ebc_bench *b = &ebc_bench;
	__u32 length = b->length, source = b->source, ports = b->ports;

	if (b->flows != 1) {
		__u32 flow = b->flow++ & (b->flows - 1);

		if (source > EBC_BENCH_HEADERS - sizeof(__be32) || ports > EBC_BENCH_HEADERS - sizeof(__be16))
			return false;
		*(__be32 *)(b->headers + source) = bpf_htonl(b->first + flow / EBC_BENCH_PORTS);
		*(__be16 *)(b->headers + ports) = bpf_htons(1024 + flow % EBC_BENCH_PORTS);
	}
	if (!length || length > EBC_BENCH_HEADERS || bpf_skb_store_bytes(skb, 0, b->headers, length, 0))
		return false;
	/* Fields in which programs leave marks. */
	skb->tc_index = 0;
	skb->mark = 0;
	skb->cb[0] = 0;
	skb->cb[1] = 0;
	skb->cb[2] = 0;
	skb->cb[3] = 0;
	skb->cb[4] = 0;
	if (b->marked)
		ebc_mark(skb);
	return true;
}

SEC("tc")
int ebc_bench_plain(struct __sk_buff *skb)
{
	if (ebc_bench_restore(skb))
		bpf_tail_call(skb, &ebc_bench_progs, ebc_bench.program);
	return TC_ACT_SHOT;
}

/*
 * Decapsulated. The helper sets metadata for transmission, whose local address a reader takes for the remote
 * one of a received packet.
 */
SEC("tc")
int ebc_bench_tunnelled(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {.tunnel_id = ebc_bench.vni, .local_ipv4 = ebc_bench.peer};

	if (ebc_bench_restore(skb) && !bpf_skb_set_tunnel_key(skb, &key, sizeof(key), 0))
		bpf_tail_call(skb, &ebc_bench_progs, ebc_bench.program);
	return TC_ACT_SHOT;
}

SEC("tc")
int ebc_bench_empty(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_REDIRECT;
}

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* For tests only: the functions of lib/choose.h with arguments from a packet. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "choose.h"
#include "source_range.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Behind the Ethernet header; tests/Ebpf.Cni.Bpf.Tests mirrors it. */
struct ebc_test_question {
	struct ebc_svc svc;
	struct ebc_addr addr; /* of the backend, or of the client */
	__be16 port;
	__u16 pad0;
	__u32 from;
	__u32 count;
	__u32 hint; /* or the pick */
};

static __always_inline bool ebc_test_read(struct __sk_buff *skb, struct ebc_test_question *q)
{
	return !bpf_skb_load_bytes(skb, 14, q, sizeof(*q));
}

/* 0: no; else the position + 1. */
SEC("tc")
int ebc_test_serves(struct __sk_buff *skb)
{
	struct ebc_test_question q;

	if (!ebc_test_read(skb, &q))
		return 0xffffffff;
	return ebc_serves(&q.svc, q.from, q.count, &q.addr, q.port, &q.hint) ? q.hint + 1 : 0;
}

/* The position + 1 of the backend for the client. */
SEC("tc")
int ebc_test_choose(struct __sk_buff *skb)
{
	struct ebc_test_question q;

	if (!ebc_test_read(skb, &q) || !q.svc.count)
		return 0xffffffff;
	return ebc_choose(&q.svc, &q.addr, q.hint, &q.count) ? q.count + 1 : 0;
}

SEC("tc")
int ebc_test_source_allowed(struct __sk_buff *skb)
{
	struct ebc_test_question q;

	if (!ebc_test_read(skb, &q))
		return 0xffffffff;
	return ebc_source_allowed(&q.svc, &q.addr);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What became of each packet and socket call: per-CPU counters, and events for drops. */
#ifndef EBC_COUNT_H
#define EBC_COUNT_H

#include "abi/events_abi.h"
#include "config.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EBC_REASON_MAX *EBC_HOOK_MAX);
	__type(key, __u32);
	__type(value, struct ebc_metric);
} ebc_metric_v3 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} ebc_events_v1 SEC(".maps");

/* Both ends of a flow, as they are in the packet. The order is the headers': 32 bytes of addresses, 4 of
 * ports. */
struct ebc_flow {
	struct ebc_addr src;
	struct ebc_addr dst;
	__be16 sport;
	__be16 dport;
};

/* What a verdict is about, as it arrived. */
struct ebc_subject {
	struct ebc_flow flow;
	__u32 ifindex;
	__u32 len; /* 0 for a socket call */
	__u32 service_id;
	__u8 proto;
	__u8 hook; /* enum ebc_hook */
	__u16 pad0;
};

static __always_inline void ebc_count(const struct ebc_subject *about, __u32 reason)
{
	__u32 index = reason * EBC_HOOK_MAX + about->hook;
	struct ebc_metric *m = bpf_map_lookup_elem(&ebc_metric_v3, &index);

	if (!m)
		return;
	/* This CPU's own copy; a program does not interrupt itself. */
	m->packets++;
	m->bytes += about->len;
}

/* Of a packet that was not parsed. */
static __always_inline void ebc_count_unread(const struct __sk_buff *skb, __u8 hook, __u32 reason)
{
	struct ebc_subject about = {.len = skb->len, .hook = hook};

	ebc_count(&about, reason);
}

/* A function of its own so that BTF keeps the record's type, which no map names. */
static __noinline void ebc_event_fill(struct ebc_event *e, const struct ebc_subject *about, __u32 reason)
{
	e->time_ns = bpf_ktime_get_ns();
	e->src = about->flow.src;
	e->dst = about->flow.dst;
	e->sport = about->flow.sport;
	e->dport = about->flow.dport;
	e->ifindex = about->ifindex;
	e->service_id = about->service_id;
	e->len = about->len;
	e->proto = about->proto;
	e->reason = reason;
	e->hook = about->hook;
	e->pad0 = 0;
	e->pad1 = 0;
}

/* The only way to drop: every refused packet or call passes here, with one reason. */
static __noinline void ebc_drop(const struct ebc_subject *about, __u32 reason)
{
	struct ebc_event *e;

	ebc_count(about, reason);
	if (!ebc_configured(EBC_CONFIG_DROP_EVENTS))
		return;
	/* A reader that is too slow loses events, never counts. */
	e = bpf_ringbuf_reserve(&ebc_events_v1, sizeof(*e), 0);
	if (!e)
		return;
	ebc_event_fill(e, about, reason);
	bpf_ringbuf_submit(e, 0);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What became of each packet and socket call: per-CPU counters, and events for drops. */
#ifndef EBC_COUNT_H
#define EBC_COUNT_H

#include <stddef.h>

#include "abi/conntrack_abi.h"
#include "abi/cpu_abi.h"
#include "ration.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebc_cpu);
} ebc_cpu_v1 SEC(".maps");

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

/* What a verdict is about, as it arrived. Flow, protocol and padding are the key of its conntrack entry. */
struct ebc_subject {
	struct ebc_flow flow;
	__u8 proto;
	__u8 pad0[3]; /* 0, as in the key */
	__u32 ifindex;
	__u32 len; /* 0 for a socket call */
	__u32 service_id;
	__u8 hook; /* enum ebc_hook */
	__u8 pad1[3];
};
_Static_assert(offsetof(struct ebc_subject, proto) == offsetof(struct ebc_ct_key, proto) &&
		   offsetof(struct ebc_subject, ifindex) == sizeof(struct ebc_ct_key),
	       "a subject begins with a conntrack key");

static __always_inline struct ebc_cpu *ebc_cpu(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&ebc_cpu_v1, &only);
}

/* This CPU's own copy, and a program does not interrupt another one at the same hook: plain additions. */
static __always_inline void ebc_count_on(struct ebc_cpu *cpu, const struct ebc_subject *about, __u32 reason)
{
	__u64 at =
	    (about->hook & (EBC_HOOK_SLOTS - 1)) * EBC_REASON_SLOTS + (reason & (EBC_REASON_SLOTS - 1));

	/* The bound once more, hidden from the optimizer: Linux 5.10 does not follow it through sums of 32
	 * bits. */
	asm volatile("" : "+r"(at));
	if (at >= EBC_HOOK_SLOTS * EBC_REASON_SLOTS)
		return;
	cpu->metrics[at].packets++;
	cpu->metrics[at].bytes += about->len;
}

static __always_inline void ebc_count(const struct ebc_subject *about, __u32 reason)
{
	struct ebc_cpu *cpu = ebc_cpu();

	if (cpu)
		ebc_count_on(cpu, about, reason);
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

/*
 * The only way to refuse: every packet or call that a peer may miss passes here, with one reason. All are
 * counted; records are rationed, since all CPUs share the ring's lock, and a reader that is too slow loses
 * them.
 */
static __noinline void ebc_drop(const struct ebc_subject *about, __u32 reason)
{
	struct ebc_cpu *cpu = ebc_cpu();
	struct ebc_event *e;

	if (!cpu)
		return;
	ebc_count_on(cpu, about, reason);
	if (!ebc_configured(EBC_CONFIG_DROP_EVENTS) ||
	    !ebc_ration(&cpu->buckets[EBC_RATION_RECORD], ebc_config.record_rate))
		return;
	e = bpf_ringbuf_reserve(&ebc_events_v1, sizeof(*e), 0);
	if (!e)
		return;
	ebc_event_fill(e, about, reason);
	bpf_ringbuf_submit(e, 0);
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A tail call. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

SEC("tc")
int jump(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &targets, 1);
	return 4;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	return 5;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

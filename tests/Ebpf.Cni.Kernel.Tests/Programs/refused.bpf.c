/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One program that loads, and one that reads a packet without looking at its length. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int accepted(struct __sk_buff *skb)
{
	return 0;
}

SEC("tc")
int refused(struct __sk_buff *skb)
{
	return *(__u8 *)(long)skb->data;
}

char _license[] SEC("license") = "GPL";

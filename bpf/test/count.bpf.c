// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* For tests only: the program of another component, which counts the IP packets that it is shown. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ebc_test_seen SEC(".maps");

SEC("tc")
int ebc_test_count(struct __sk_buff *skb)
{
	__u32 only = 0;
	__u64 *seen = bpf_map_lookup_elem(&ebc_test_seen, &only);

	/* Kernels greet their links with neighbour discovery and router solicitations when they like: not
	 * counted, by their size. */
	if (seen && skb->len >= 1000 &&
	    (skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6)))
		__sync_fetch_and_add(seen, 1);
	return TC_ACT_UNSPEC;
}

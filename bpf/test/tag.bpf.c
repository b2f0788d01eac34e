// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* For tests only: a switch that tags what it passes on. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int ebc_test_tag(struct __sk_buff *skb, __u16 tci)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tci) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Priority 3, of no VLAN. */
SEC("tc")
int ebc_test_tag_priority(struct __sk_buff *skb)
{
	return ebc_test_tag(skb, 3 << 13);
}

/* Of VLAN 5. */
SEC("tc")
int ebc_test_tag_vlan(struct __sk_buff *skb)
{
	return ebc_test_tag(skb, 5);
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A program for each hook, and a map of each kind that the tests work with. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum test_mode {
	TEST_MODE_COUNT = 0,
	TEST_MODE_REPORT = 7,
};

struct test_config {
	__u32 verdict;
	__u32 mode; /* enum test_mode */
};

/* One member of each shape that a layout can have. */
struct test_shape {
	__u8 bytes[16];
	__be16 port;
	__u16 pad0;
	struct {
		__u32 low;
		__u32 high;
	} nested;
	union {
		__u64 whole;
		__u32 halves[2];
	};
	__s64 negative;
	struct test_config config[2];
};

struct test_record {
	__u32 length;
	__u32 mark;
};

volatile const struct test_config config = { .verdict = 3 };
volatile const enum test_mode start = TEST_MODE_REPORT;
volatile const __u8 label[4] = { 'n', 'o', 'n', 'e' };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct test_shape);
} shapes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

static __always_inline void count(__u32 slot)
{
	__u64 *seen = bpf_map_lookup_elem(&packets, &slot);

	if (seen)
		(*seen)++;
}

SEC("tc")
int tc_first(struct __sk_buff *skb)
{
	count(0);
	if (config.mode == TEST_MODE_REPORT) {
		struct test_record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

		if (record) {
			record->length = skb->len;
			record->mark = skb->mark;
			if (skb->mark == 0xdead)
				bpf_ringbuf_discard(record, 0);
			else
				bpf_ringbuf_submit(record, 0);
		}
	}
	skb->mark += 1;
	return config.verdict;
}

SEC("tc")
int tc_second(struct __sk_buff *skb)
{
	count(1);
	return -1;
}

SEC("xdp")
int xdp_first(struct xdp_md *ctx)
{
	count(0);
	return XDP_PASS;
}

SEC("cgroup/connect4")
int connect_allow(struct bpf_sock_addr *ctx)
{
	count(0);
	return 1;
}

SEC("cgroup/connect4")
int connect_deny(struct bpf_sock_addr *ctx)
{
	count(1);
	return 0;
}

char _license[] SEC("license") = "GPL";

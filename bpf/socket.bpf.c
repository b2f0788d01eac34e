// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Services for every process below a cgroup: the destination is replaced when the socket is connected or
 * sends. And NodePorts, which no socket of the node may take. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "socket_bind.h"
#include "socket_find.h"
#include "socket_service.h"
#include "socket_stat.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int ebc_forward4(struct bpf_sock_addr *ctx, bool connects)
{
	struct ebc_sockaddr a;
	int verdict;

	ebc_sockaddr_get4(ctx, &a);
	verdict = ebc_sock_forward(ctx, &a, connects, false);
	if (verdict == EBC_SOCK_REPLACE)
		ebc_sockaddr_set4(ctx, &a.addr, a.port);
	return ebc_sock_return(verdict, EBC_ECONNREFUSED);
}

static __always_inline int ebc_forward6(struct bpf_sock_addr *ctx, bool connects)
{
	struct ebc_sockaddr a;
	int verdict;

	ebc_sockaddr_get6(ctx, &a);
	verdict = ebc_sock_forward(ctx, &a, connects, true);
	if (verdict == EBC_SOCK_REPLACE)
		ebc_sockaddr_set6(ctx, &a.addr, a.port);
	return ebc_sock_return(verdict, EBC_ECONNREFUSED);
}

static __always_inline int ebc_reverse4(struct bpf_sock_addr *ctx)
{
	struct ebc_sockaddr a;

	ebc_sockaddr_get4(ctx, &a);
	if (ebc_sock_reverse(ctx, &a) == EBC_SOCK_REPLACE)
		ebc_sockaddr_set4(ctx, &a.addr, a.port);
	return 1;
}

static __always_inline int ebc_reverse6(struct bpf_sock_addr *ctx)
{
	struct ebc_sockaddr a;

	ebc_sockaddr_get6(ctx, &a);
	if (ebc_sock_reverse(ctx, &a) == EBC_SOCK_REPLACE)
		ebc_sockaddr_set6(ctx, &a.addr, a.port);
	return 1;
}

SEC("cgroup/connect4")
int ebc_connect4(struct bpf_sock_addr *ctx)
{
	return ebc_forward4(ctx, true);
}

SEC("cgroup/connect6")
int ebc_connect6(struct bpf_sock_addr *ctx)
{
	return ebc_forward6(ctx, true);
}

SEC("cgroup/sendmsg4")
int ebc_sendmsg4(struct bpf_sock_addr *ctx)
{
	return ebc_forward4(ctx, false);
}

SEC("cgroup/sendmsg6")
int ebc_sendmsg6(struct bpf_sock_addr *ctx)
{
	return ebc_forward6(ctx, false);
}

SEC("cgroup/recvmsg4")
int ebc_recvmsg4(struct bpf_sock_addr *ctx)
{
	return ebc_reverse4(ctx);
}

SEC("cgroup/recvmsg6")
int ebc_recvmsg6(struct bpf_sock_addr *ctx)
{
	return ebc_reverse6(ctx);
}

SEC("cgroup/getpeername4")
int ebc_getpeer4(struct bpf_sock_addr *ctx)
{
	return ebc_reverse4(ctx);
}

SEC("cgroup/getpeername6")
int ebc_getpeer6(struct bpf_sock_addr *ctx)
{
	return ebc_reverse6(ctx);
}

SEC("cgroup/bind4")
int ebc_bind4(struct bpf_sock_addr *ctx)
{
	struct ebc_sockaddr a;

	ebc_sockaddr_get4(ctx, &a);
	return ebc_sock_return(ebc_sock_bind(ctx, &a), EBC_EADDRINUSE);
}

SEC("cgroup/bind6")
int ebc_bind6(struct bpf_sock_addr *ctx)
{
	struct ebc_sockaddr a;

	ebc_sockaddr_get6(ctx, &a);
	return ebc_sock_return(ebc_sock_bind(ctx, &a), EBC_EADDRINUSE);
}

SEC("cgroup/sock_release")
int ebc_sock_release(struct bpf_sock *ctx)
{
	ebc_sock_forget(ctx);
	return 1;
}

SEC("sockops")
int ebc_sock_ops(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		ebc_sock_ops_begin(ctx);
	/* Closing what is closed is reported too. */
	else if (ctx->op == BPF_SOCK_OPS_STATE_CB && ctx->args[1] == BPF_TCP_CLOSE &&
		 ctx->args[0] != BPF_TCP_CLOSE)
		ebc_sock_ops_end(ctx);
	return 1;
}

/* Run by the agent, on no packet: see socket_find.h. */
SEC("tc")
int ebc_sock_find(struct __sk_buff *skb)
{
	return ebc_sk_service(skb);
}

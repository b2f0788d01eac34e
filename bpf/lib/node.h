/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the agent tells all programs about the node: a global that they share, so reading it is no lookup. */
#ifndef EBC_NODE_H
#define EBC_NODE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "abi/node_abi.h"

/* The loader shares the map behind this section by the name that follows ".data.". */
struct ebc_node ebc_node SEC(".data.ebc_node_v1") = {};

/* This node's end of all tunnels; NULL where there is none. */
static __always_inline const struct ebc_overlay *ebc_overlay(void)
{
	return ebc_node.overlay.ifindex ? &ebc_node.overlay : NULL;
}

/* Never 0, and so never that of an entry which is to be asked about. */
static __always_inline __u32 ebc_epoch(void)
{
	return *(volatile __u32 *)&ebc_node.epoch;
}

#endif

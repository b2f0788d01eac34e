/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What becomes of a socket call. */
#ifndef EBC_SOCKET_VERDICT_H
#define EBC_SOCKET_VERDICT_H

#include "config.h"

#define EBC_EADDRINUSE 98
#define EBC_ECONNREFUSED 111

enum ebc_sock_verdict {
	EBC_SOCK_KEEP = 0,    /* no service, or none for this hook: the call goes on as it is */
	EBC_SOCK_REPLACE = 1, /* the address was replaced */
	EBC_SOCK_REFUSE = 2,
};

/* What the hook returns: 1 goes on; 0 fails the call, with EPERM unless another errno could be set. */
static __always_inline int ebc_sock_return(int verdict, int error)
{
	if (verdict != EBC_SOCK_REFUSE)
		return 1;
	if (ebc_configured(EBC_CONFIG_SET_RETVAL))
		bpf_set_retval(-error);
	return 0;
}

#endif

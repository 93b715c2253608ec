/* A socket for datagrams between here and one address. */
#ifndef CG_IO_DATAGRAMS_H
#define CG_IO_DATAGRAMS_H

#include "wire/addr.h"

/* It does not block, and is the caller's. -1: errno says why there is none. */
int cg_datagrams_connect(const struct cg_addr *to);

#endif

/* What the network says of datagrams that did not get where they were sent: ICMP errors, and this host's own finding
 * that nobody answers for an address on the link. They come by a socket's error queue. */
#ifndef CG_IO_UNREACHABLE_H
#define CG_IO_UNREACHABLE_H

#include "model/cause.h"
#include "wire/addr.h"

/* Has a socket of that family collect them. From then on one that has come may fail the next call that sends or
 * receives by it, whatever that is for: cg_unreachable_is_past. */
bool cg_unreachable_want(int fd, enum cg_family family);
/* Takes one: false where there is none, or none any more. `to`: where the datagram was sent, family NONE where that
 * cannot be told; `sign`: what it says of that address. */
bool cg_unreachable_take(int fd, struct cg_addr *to, enum cg_sign *sign);
/* Whether this error of a call may be one of those, and not the call's own. */
bool cg_unreachable_is_past(int error);

#endif

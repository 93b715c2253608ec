/* The members' sockets: one for each member's own address and one for each group, all non-blocking. */
#ifndef CG_TOOLS_MEMBER_NET_H
#define CG_TOOLS_MEMBER_NET_H

#include <sys/socket.h>

#include "wire/addr.h"

union cg_net_addr {
    struct sockaddr any;
    struct sockaddr_storage room;
};

socklen_t cg_net_from_addr(union cg_net_addr *to, const struct cg_addr *from);
void cg_net_to_addr(struct cg_addr *to, const union cg_net_addr *from);

/* A file descriptor, or -1 with errno set. The group socket is bound to the group's address, hears what arrives on that
 * interface only, and shares the port with other processes. */
int cg_net_open_own(const struct cg_addr *addr);
int cg_net_open_group(const struct cg_addr *group, unsigned interface);

/* Lets the process have so many descriptors; false when the hard limit (*limit) is lower and cannot be raised. */
bool cg_net_allow_descriptors(uint64_t wanted, uint64_t *limit);

#endif

/* Addresses as sockets take them. */
#ifndef CG_IO_ENDPOINT_H
#define CG_IO_ENDPOINT_H

#include <netinet/in.h>

#include "wire/addr.h"

union cg_endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Returns the length that the system wants with it. The address has a family. */
socklen_t cg_endpoint_from_addr(union cg_endpoint *to, const struct cg_addr *addr);
/* Family NONE for anything but IPv4 and IPv6. */
void cg_endpoint_to_addr(struct cg_addr *addr, const union cg_endpoint *from);
/* Where that socket is. False: errno says why not, and *addr is as it was. */
bool cg_endpoint_local(struct cg_addr *addr, int fd);

#endif

/* One address in two notations. The hard thing is small: both sides are compared byte by byte, so nothing may stay
 * unset. */
#include "io/endpoint.h"

socklen_t cg_endpoint_from_addr(union cg_endpoint *to, const struct cg_addr *addr) {
    memset(to, 0, sizeof *to);
    if (addr->family == CG_FAMILY_IPV4) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(addr->port);
        memcpy(&to->v4.sin_addr, addr->ip, 4);
        return sizeof to->v4;
    }
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons(addr->port);
    to->v6.sin6_scope_id = addr->scope;
    memcpy(&to->v6.sin6_addr, addr->ip, 16);
    return sizeof to->v6;
}

void cg_endpoint_to_addr(struct cg_addr *addr, const union cg_endpoint *from) {
    *addr = (struct cg_addr){0};
    if (from->any.sa_family == AF_INET) {
        addr->family = CG_FAMILY_IPV4;
        addr->port = ntohs(from->v4.sin_port);
        memcpy(addr->ip, &from->v4.sin_addr, 4);
    } else if (from->any.sa_family == AF_INET6) {
        addr->family = CG_FAMILY_IPV6;
        addr->port = ntohs(from->v6.sin6_port);
        addr->scope = from->v6.sin6_scope_id; /* the kernel sets it for link-local addresses only */
        memcpy(addr->ip, &from->v6.sin6_addr, 16);
    }
}

bool cg_endpoint_local(struct cg_addr *addr, int fd) {
    union cg_endpoint local;
    socklen_t len = sizeof local;
    if (getsockname(fd, &local.any, &len) != 0) return false;
    cg_endpoint_to_addr(addr, &local);
    return true;
}

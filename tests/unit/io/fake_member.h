/* A bare UDP endpoint for tests of the sockets: what a member of a group would see of a datagram, headers included. */
#ifndef FAKE_MEMBER_H
#define FAKE_MEMBER_H

#include "wire/addr.h"

struct fake_member {
    int fd;
    struct cg_addr addr; /* bound to, with the port */
};

struct fake_received {
    struct cg_addr from;
    struct cg_addr to;  /* destination address, without port */
    unsigned interface; /* index */
    int hops;           /* TTL or hop limit on arrival */
    size_t len;
    uint8_t bytes[2048];
};

/* Binds to `ip` (a multicast one is joined on `interface`) and a free port. */
void fake_member_init(struct fake_member *member, const char *ip, const char *interface);
void fake_member_fini(struct fake_member *member);
void fake_member_send(struct fake_member *member, const struct cg_addr *to, const void *bytes, size_t len);
/* Waits for one datagram, for some seconds at most (then the test fails). */
void fake_member_receive(struct fake_member *member, struct fake_received *received);
bool fake_member_hears_nothing(struct fake_member *member); /* looks once */

struct cg_addr fake_addr(const char *ip, uint16_t port);

#endif

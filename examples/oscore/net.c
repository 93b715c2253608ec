#define _GNU_SOURCE
#include "net.h"

#include <err.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

struct endpoint endpoint_parse(const char *address, const char *port) {
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM};
    struct endpoint endpoint = {.len = 0};
    struct addrinfo *found;
    int status = getaddrinfo(address, port, &hints, &found);
    if (status != 0) errx(1, "%s port %s: %s", address, port, gai_strerror(status));
    memcpy(&endpoint.addr, found->ai_addr, found->ai_addrlen);
    endpoint.len = found->ai_addrlen;
    freeaddrinfo(found);
    return endpoint;
}

unsigned interface_parse(const char *name) {
    unsigned interface = if_nametoindex(name);
    if (interface == 0) err(1, "interface %s", name);
    return interface;
}

static void set(int fd, int level, int option, const void *value, socklen_t len) {
    if (setsockopt(fd, level, option, value, len) != 0) err(1, "socket option %d", option);
}

static int open_socket(int family) {
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) err(1, "socket");
    return fd;
}

static void bind_to(int fd, const struct endpoint *own) {
    if (bind(fd, (const struct sockaddr *)&own->addr, own->len) != 0) err(1, "bind");
}

int socket_at(const struct endpoint *own) {
    int fd = open_socket(own->addr.ss_family);
    bind_to(fd, own);
    return fd;
}

int socket_of_group(const struct endpoint *group, unsigned interface) {
    const int one = 1, zero = 0;
    const int ipv4 = group->addr.ss_family == AF_INET;
    struct group_req join;
    int fd = open_socket(group->addr.ss_family);
    memset(&join, 0, sizeof join); /* it has padding, which the kernel reads, too */
    join.gr_interface = interface;
    join.gr_group = group->addr;
    set(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* Else it would hear what others on this host have joined, on whatever interface. */
    set(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL, &zero, sizeof zero);
    set(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, &join, sizeof join);
    bind_to(fd, group);
    return fd;
}

int socket_towards(const struct endpoint *destination, unsigned interface) {
    const struct ip_mreqn ipv4 = {.imr_ifindex = (int)interface};
    const int ipv6 = (int)interface;
    int fd = open_socket(destination->addr.ss_family);
    if (destination->addr.ss_family == AF_INET)
        set(fd, IPPROTO_IP, IP_MULTICAST_IF, &ipv4, sizeof ipv4);
    else
        set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ipv6, sizeof ipv6);
    return fd;
}

/* Sockets of castgate-member. The hard thing: every member answers from its own address, so each has a socket of its
 * own and the kernel does the demultiplexing; but a group is joined once, not once per member, for the kernel would
 * copy each request. */
#include "tools/member/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

enum { GROUP_BUFFER = 1 << 20 }; /* bytes: bursts of requests while thousands of answers are being sent */

socklen_t cg_net_from_addr(union cg_net_addr *to, const struct cg_addr *from) {
    memset(to, 0, sizeof *to);
    struct cg_slice ip = cg_addr_ip(from);
    if (from->family == CG_FAMILY_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)&to->room;
        in->sin_family = AF_INET;
        in->sin_port = htons(from->port);
        memcpy(&in->sin_addr, ip.data, ip.len);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to->room;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(from->port);
    in6->sin6_scope_id = from->scope;
    memcpy(&in6->sin6_addr, ip.data, ip.len);
    return sizeof *in6;
}

void cg_net_to_addr(struct cg_addr *to, const union cg_net_addr *from) {
    *to = (struct cg_addr){0};
    if (from->any.sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&from->room;
        to->family = CG_FAMILY_IPV4;
        to->port = ntohs(in->sin_port);
        memcpy(to->ip, &in->sin_addr, sizeof in->sin_addr);
        return;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&from->room;
    to->family = CG_FAMILY_IPV6;
    to->port = ntohs(in6->sin6_port);
    to->scope = in6->sin6_scope_id;
    memcpy(to->ip, &in6->sin6_addr, sizeof in6->sin6_addr);
}

static int give_up(int fd) {
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

static int open_bound(const struct cg_addr *addr, bool shared) {
    int family = addr->family == CG_FAMILY_IPV4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int one = 1;
    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) return give_up(fd);
    union cg_net_addr bound;
    socklen_t len = cg_net_from_addr(&bound, addr);
    if (bind(fd, &bound.any, len) != 0) return give_up(fd);
    return fd;
}

int cg_net_open_own(const struct cg_addr *addr) { return open_bound(addr, false); }

static int join_ipv4(int fd, const struct cg_addr *group, unsigned interface) {
    int zero = 0;
    struct ip_mreqn join = {.imr_ifindex = (int)interface};
    memcpy(&join.imr_multiaddr, cg_addr_ip(group).data, sizeof join.imr_multiaddr);
    if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof zero) != 0) return -1;
    return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join);
}

static int join_ipv6(int fd, const struct cg_addr *group, unsigned interface) {
    int zero = 0;
    struct ipv6_mreq join = {.ipv6mr_interface = interface};
    memcpy(&join.ipv6mr_multiaddr, cg_addr_ip(group).data, sizeof join.ipv6mr_multiaddr);
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &zero, sizeof zero) != 0) return -1;
    return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &join, sizeof join);
}

int cg_net_open_group(const struct cg_addr *group, unsigned interface) {
    struct cg_addr scoped = *group;
    bool ipv4 = group->family == CG_FAMILY_IPV4;
    if (!ipv4) scoped.scope = interface; /* ignored by the kernel where the group's scope is wider than the link */
    int fd = open_bound(&scoped, true);
    if (fd < 0) return -1;
    int size = GROUP_BUFFER;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size); /* what the system allows will do */
    if ((ipv4 ? join_ipv4 : join_ipv6)(fd, group, interface) != 0) return give_up(fd);
    return fd;
}

bool cg_net_allow_descriptors(uint64_t wanted, uint64_t *limit) {
    struct rlimit have = {0};
    (void)getrlimit(RLIMIT_NOFILE, &have); /* cannot fail with these arguments */
    *limit = have.rlim_max;
    if (have.rlim_cur >= wanted) return true;
    struct rlimit more = {.rlim_cur = wanted, .rlim_max = have.rlim_max < wanted ? wanted : have.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &more) == 0;
}

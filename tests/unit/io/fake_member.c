/* Member's end of the wire. The hard thing is only that both families say the same in different words. */
#include "fake_member.h"

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct cg_addr fake_addr(const char *ip, uint16_t port) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse_ip(&addr, cg_slice_str(ip)), CG_OK);
    addr.port = port;
    return addr;
}

static socklen_t to_endpoint(union endpoint *endpoint, const struct cg_addr *addr) {
    memset(endpoint, 0, sizeof *endpoint);
    if (addr->family == CG_FAMILY_IPV4) {
        endpoint->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&endpoint->v4.sin_addr, addr->ip, 4);
        return sizeof endpoint->v4;
    }
    endpoint->v6 =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(addr->port), .sin6_scope_id = addr->scope};
    memcpy(&endpoint->v6.sin6_addr, addr->ip, 16);
    return sizeof endpoint->v6;
}

static struct cg_addr from_endpoint(const union endpoint *endpoint) {
    struct cg_addr addr = {0};
    if (endpoint->any.sa_family == AF_INET) {
        addr.family = CG_FAMILY_IPV4;
        addr.port = ntohs(endpoint->v4.sin_port);
        memcpy(addr.ip, &endpoint->v4.sin_addr, 4);
    } else {
        addr.family = CG_FAMILY_IPV6;
        addr.port = ntohs(endpoint->v6.sin6_port);
        addr.scope = endpoint->v6.sin6_scope_id;
        memcpy(addr.ip, &endpoint->v6.sin6_addr, 16);
    }
    return addr;
}

static void set_int(int fd, int level, int option, int value) {
    assert_int_equal(setsockopt(fd, level, option, &value, sizeof value), 0);
}

static void join(const struct fake_member *member, const char *interface) {
    unsigned index = if_nametoindex(interface);
    assert_true(index != 0);
    if (member->addr.family == CG_FAMILY_IPV4) {
        struct ip_mreqn request = {.imr_ifindex = (int)index};
        memcpy(&request.imr_multiaddr, member->addr.ip, 4);
        assert_int_equal(setsockopt(member->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request), 0);
    } else {
        struct ipv6_mreq request = {.ipv6mr_interface = index};
        memcpy(&request.ipv6mr_multiaddr, member->addr.ip, 16);
        assert_int_equal(setsockopt(member->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request), 0);
    }
}

void fake_member_init(struct fake_member *member, const char *ip, const char *interface) {
    member->addr = fake_addr(ip, 0);
    bool is_v4 = member->addr.family == CG_FAMILY_IPV4;
    member->fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(member->fd >= 0);
    if (is_v4) {
        set_int(member->fd, IPPROTO_IP, IP_RECVTTL, 1);
        set_int(member->fd, IPPROTO_IP, IP_PKTINFO, 1);
    } else {
        set_int(member->fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
        set_int(member->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
    union endpoint local;
    if (!is_v4 && interface != NULL) member->addr.scope = if_nametoindex(interface);
    socklen_t len = to_endpoint(&local, &member->addr);
    assert_int_equal(bind(member->fd, &local.any, len), 0);
    assert_int_equal(getsockname(member->fd, &local.any, &len), 0);
    member->addr.port = is_v4 ? ntohs(local.v4.sin_port) : ntohs(local.v6.sin6_port);
    if (cg_addr_is_multicast(&member->addr)) join(member, interface);
    member->addr.scope = 0;
}

void fake_member_fini(struct fake_member *member) { close(member->fd); }

void fake_member_send(struct fake_member *member, const struct cg_addr *to, const void *bytes, size_t len) {
    union endpoint endpoint;
    socklen_t endpoint_len = to_endpoint(&endpoint, to);
    assert_int_equal(sendto(member->fd, bytes, len, 0, &endpoint.any, endpoint_len), len);
}

static void read_control(const struct cmsghdr *header, struct fake_received *received) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TTL) {
        memcpy(&received->hops, CMSG_DATA(header), sizeof received->hops);
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_HOPLIMIT) {
        memcpy(&received->hops, CMSG_DATA(header), sizeof received->hops);
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo packet;
        memcpy(&packet, CMSG_DATA(header), sizeof packet);
        received->interface = (unsigned)packet.ipi_ifindex;
        received->to.family = CG_FAMILY_IPV4;
        memcpy(received->to.ip, &packet.ipi_addr, 4);
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo packet;
        memcpy(&packet, CMSG_DATA(header), sizeof packet);
        received->interface = packet.ipi6_ifindex;
        received->to.family = CG_FAMILY_IPV6;
        memcpy(received->to.ip, &packet.ipi6_addr, 16);
    }
}

void fake_member_receive(struct fake_member *member, struct fake_received *received) {
    *received = (struct fake_received){0};
    struct pollfd waiting = {.fd = member->fd, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, 60000), 1);
    union {
        char bytes[256];
        struct cmsghdr align;
    } control;
    union endpoint from;
    struct iovec part = {.iov_base = received->bytes, .iov_len = sizeof received->bytes};
    struct msghdr message = {.msg_name = &from,
                             .msg_namelen = sizeof from,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t len = recvmsg(member->fd, &message, MSG_DONTWAIT);
    assert_true(len >= 0);
    received->len = (size_t)len;
    received->from = from_endpoint(&from);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        read_control(header, received);
    }
}

bool fake_member_hears_nothing(struct fake_member *member) {
    struct pollfd waiting = {.fd = member->fd, .events = POLLIN};
    return poll(&waiting, 1, 0) == 0;
}

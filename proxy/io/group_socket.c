/* The imperative end of the group side. The hard thing is that each datagram must leave by the interface, from the
 * source and with the hop limit that its route says, over a socket that all routes share: all three go with the
 * datagram as ancillary data, so no option of the socket has to be right at the right moment. */
#include "io/group_socket.h"

#include <errno.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "io/endpoint.h"
#include "io/interfaces.h"
#include "io/routes.h"

enum {
    ROUND_TRIP_US = 50000, /* of hosts so near that a member's answer would be late by being gathered */
    SENDINGS = 3,
    ERRORS_A_TURN = 64,
};

struct family_socket {
    struct cg_inlet inlet;
    struct cg_group_socket *group;
    int fd;              /* -1: this host does not have the family */
    bool used;           /* something was sent by it */
    uint32_t drops_seen; /* the kernel's counter when it was last read; it wraps */
};

struct cg_group_socket {
    struct cg_interfaces interfaces;
    struct cg_routes routes;
    struct cg_addr source; /* family NONE: the interface's */
    struct family_socket v4, v6;
    struct cg_inlet_room *room; /* owned */
    unsigned open_inlets;
    uint64_t drops;
    cg_datagram_fn on_datagram;
    cg_unreachable_fn on_unreachable; /* NULL: nobody wants to know */
    void *ctx;
};

/* Receiving */

/* Asked at the moment, rather than taken from SO_RXQ_OVFL, which tells of a drop only with the next datagram that got
 * in. */
static uint64_t new_drops(struct family_socket *socket) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (!socket->used || getsockopt(socket->fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0) return 0;
    uint32_t more = info[SK_MEMINFO_DROPS] - socket->drops_seen;
    socket->drops_seen = info[SK_MEMINFO_DROPS];
    return more;
}

void cg_group_socket_catch_up(struct cg_group_socket *group) {
    if (group->v4.fd >= 0) cg_inlet_catch_up(&group->v4.inlet);
    if (group->v6.fd >= 0) cg_inlet_catch_up(&group->v6.inlet);
}

void cg_group_socket_hurry(struct cg_group_socket *group, uint64_t until_us) {
    if (group->v4.fd >= 0) cg_inlet_hurry(&group->v4.inlet, until_us);
    if (group->v6.fd >= 0) cg_inlet_hurry(&group->v6.inlet, until_us);
}

uint64_t cg_group_socket_kernel_drops(void *ctx) {
    struct cg_group_socket *group = ctx;
    group->drops += new_drops(&group->v4) + new_drops(&group->v6);
    return group->drops;
}

/* Nobody answers to a family by which nothing was asked: what strangers send there is not looked at for each request,
 * and what they sent before does not count. */
static void use(struct family_socket *socket) {
    if (socket->used) return;
    socket->used = true;
    (void)new_drops(socket);
}

static void on_error(void *ctx) {
    struct family_socket *socket = ctx;
    struct cg_group_socket *group = socket->group;
    struct cg_addr to;
    enum cg_sign sign;
    for (int i = 0; i < ERRORS_A_TURN && cg_unreachable_take(socket->fd, &to, &sign); i++) {
        bool is_told = group->on_unreachable != NULL && to.family != CG_FAMILY_NONE && !cg_addr_is_multicast(&to);
        if (is_told) group->on_unreachable(group->ctx, &to, sign);
    }
}

void cg_group_socket_on_unreachable(struct cg_group_socket *group, cg_unreachable_fn on_unreachable) {
    group->on_unreachable = on_unreachable;
}

/* Sending */

/* Ancillary data of one multicast datagram. */
union control {
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static void put_control(struct msghdr *message, int level, int type, const void *value, size_t len) {
    struct cmsghdr *header = (struct cmsghdr *)((char *)message->msg_control + message->msg_controllen);
    *header = (struct cmsghdr){.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len)};
    memcpy(CMSG_DATA(header), value, len);
    message->msg_controllen += CMSG_SPACE(len);
}

static int lacks_ipv4(const struct cg_interface *by, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_EMIT, "interface \"%s\" has no IPv4 address", by->name);
}

static int put_route_v4(const struct cg_group_socket *group, struct msghdr *message, const struct cg_interface *by,
                        int hops, struct cg_problem *problem) {
    struct in_pktinfo packet = {.ipi_ifindex = (int)by->index, .ipi_spec_dst = by->ipv4};
    if (group->source.family == CG_FAMILY_IPV4) {
        memcpy(&packet.ipi_spec_dst, group->source.ip, 4);
    } else if (!by->has_ipv4) {
        return lacks_ipv4(by, problem);
    }
    put_control(message, IPPROTO_IP, IP_PKTINFO, &packet, sizeof packet);
    put_control(message, IPPROTO_IP, IP_TTL, &hops, sizeof hops);
    return CG_OK;
}

/* Without a configured source the kernel picks one of the interface (RFC 6724). */
static void put_route_v6(const struct cg_group_socket *group, struct msghdr *message, const struct cg_interface *by,
                         int hops) {
    struct in6_pktinfo packet = {.ipi6_ifindex = by->index};
    if (group->source.family == CG_FAMILY_IPV6) memcpy(&packet.ipi6_addr, group->source.ip, 16);
    put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &packet, sizeof packet);
    put_control(message, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
}

static int put_route(struct cg_group_socket *group, struct msghdr *message, const struct cg_route *route,
                     struct cg_problem *problem) {
    char of_scope[IF_NAMESIZE];
    const char *name = route->interface;
    if (name == NULL && route->to.scope != 0) {
        name = if_indextoname(route->to.scope, of_scope);
        if (name == NULL) return cg_problem_set(problem, CG_E_EMIT, "no interface has index %u", route->to.scope);
    }
    struct cg_interface by;
    int err = cg_interfaces_find(&group->interfaces, name, &by, problem);
    if (err != CG_OK) return err;
    if (route->to.family == CG_FAMILY_IPV4) return put_route_v4(group, message, &by, route->hops, problem);
    put_route_v6(group, message, &by, route->hops);
    /* A link-local group would otherwise be refused, whatever the ancillary data says. */
    ((struct sockaddr_in6 *)message->msg_name)->sin6_scope_id = by.index;
    return CG_OK;
}

int cg_group_socket_look(struct cg_group_socket *group, const char *interface, enum cg_source_need need,
                         struct cg_problem *problem) {
    struct cg_interface by;
    int err = cg_interfaces_find(&group->interfaces, interface, &by, problem);
    return err == CG_OK && need == CG_SOURCE_IS_ITS_IPV4 && !by.has_ipv4 ? lacks_ipv4(&by, problem) : err;
}

bool cg_group_socket_on_link(void *ctx, const char *interface, const struct cg_addr *addr) {
    struct cg_group_socket *group = ctx;
    struct cg_interface by;
    struct cg_problem ignored = {0};
    if (cg_interfaces_find(&group->interfaces, interface, &by, &ignored) < 0) return false;
    return cg_routes_on_link(&group->routes, addr, by.index);
}

bool cg_group_socket_is_own(void *ctx, const struct cg_addr *addr) {
    struct cg_group_socket *group = ctx;
    return cg_addr_is_loopback(addr) || cg_routes_find(&group->routes, addr).is_own;
}

uint32_t cg_group_socket_zone(void *ctx, const char *interface) {
    struct cg_group_socket *group = ctx;
    struct cg_interface by;
    struct cg_problem ignored = {0};
    return cg_interfaces_find(&group->interfaces, interface, &by, &ignored) == CG_OK ? by.index : 0;
}

static const char *hint_for(int error) {
    switch (error) {
    case EPERM:
    case EACCES: return "; a firewall rule of this host refuses it";
    case EAGAIN:
    case ENOBUFS: return "; the interface's send queue is full, try again";
    case EADDRNOTAVAIL: return "; the interface has no fitting source address (see group.address)";
    case ENETUNREACH:
    case EHOSTUNREACH: return "; there is no route to it";
    case ENOKEY: return "; the tunnel has no peer for it (WireGuard: AllowedIPs must cover the group)";
    case EDESTADDRREQ: return "; the tunnel's peer has no endpoint yet (WireGuard)";
    default: return "";
    }
}

static int send_failed(const struct cg_route *route, int error, struct cg_problem *problem) {
    char to[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&route->to, to);
    return cg_problem_set(problem, CG_E_EMIT, "sending to %s%s%s failed: %s%s", to,
                          route->interface == NULL ? "" : " by ", route->interface == NULL ? "" : route->interface,
                          uv_strerror(-error), hint_for(error));
}

/* 0, or why not. An error may be an earlier datagram's, which has nothing to do with this one: then it goes out when it
 * is sent again. */
static int send_now(int fd, const struct msghdr *message) {
    int error = 0;
    for (int i = 0; i < SENDINGS; i++) {
        if (sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
        error = errno;
        if (!cg_unreachable_is_past(error)) break;
    }
    return error;
}

int cg_group_socket_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram,
                         struct cg_problem *problem) {
    struct cg_group_socket *group = ctx;
    CG_CHECK(route->to.family == CG_FAMILY_IPV4 || route->to.family == CG_FAMILY_IPV6);
    struct family_socket *socket = route->to.family == CG_FAMILY_IPV4 ? &group->v4 : &group->v6;
    if (socket->fd < 0) return cg_problem_set(problem, CG_E_EMIT, "this host has no IPv%u", route->to.family);
    union cg_endpoint to;
    union control control;
    memset(&control, 0, sizeof control);
    struct iovec part = {.iov_base = (void *)(uintptr_t)datagram.data, .iov_len = datagram.len};
    struct msghdr message = {.msg_name = &to, .msg_iov = &part, .msg_iovlen = 1};
    message.msg_namelen = cg_endpoint_from_addr(&to, &route->to);
    if (cg_addr_is_multicast(&route->to)) {
        message.msg_control = &control;
        int err = put_route(group, &message, route, problem);
        if (err != CG_OK) return err;
    } else if (cg_addr_is_link_local(&route->to) && route->to.scope == 0) { /* the kernel would take any interface */
        return cg_problem_set(problem, CG_E_EMIT,
                              "a link-local member needs its zone, as in fe80::1%%2, or the mapping's interface");
    }
    use(socket);
    int error = send_now(socket->fd, &message);
    if (error != 0) return send_failed(route, error, problem);
    if (!cg_addr_is_multicast(&route->to)) cg_inlet_hurry(&socket->inlet, uv_hrtime() / 1000 + ROUND_TRIP_US);
    return CG_OK;
}

/* Opening and closing */

static bool set_int(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* What the kernel granted, in bytes. It doubles what it is told, for its own needs, and reports the double. */
static int granted_buffer(int fd) {
    int granted = 0;
    socklen_t len = sizeof granted;
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) != 0) return 0;
    return granted / 2;
}

static int grow_receive_buffer(int fd, int wanted) {
    if (!set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, wanted)) (void)set_int(fd, SOL_SOCKET, SO_RCVBUF, wanted);
    return granted_buffer(fd);
}

static void warn_of_small_buffer(int granted, int wanted) {
    if (granted >= wanted) return;
    cg_log(CG_LOG_WARNING, "receive-buffer",
           "the receive buffer is %d bytes rather than %d: bursts of answers may be lost; run \"sysctl -w "
           "net.core.rmem_max=%d\" or give the process CAP_NET_ADMIN",
           granted, wanted, wanted);
}

static bool set_options(int fd, int family) {
    if (family == AF_INET) {
        return set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) && set_int(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
    }
    return set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0) &&
           set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
}

static bool bind_to(int fd, enum cg_family family, const struct cg_group_settings *settings) {
    struct cg_addr local = {.family = family};
    if (settings->address.family == family) local = settings->address;
    local.port = settings->port;
    union cg_endpoint endpoint;
    socklen_t len = cg_endpoint_from_addr(&endpoint, &local);
    return bind(fd, &endpoint.any, len) == 0;
}

/* -1 with errno set. */
static int make_socket(enum cg_family family, const struct cg_group_settings *settings) {
    int domain = family == CG_FAMILY_IPV4 ? AF_INET : AF_INET6;
    int fd = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (set_options(fd, domain) && bind_to(fd, family, settings)) {
        int wanted = settings->receive_buffer > INT_MAX / 2 ? INT_MAX / 2 : (int)settings->receive_buffer;
        warn_of_small_buffer(grow_receive_buffer(fd, wanted), wanted);
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int open_family(struct cg_group_socket *group, struct family_socket *socket, uv_loop_t *uv,
                       enum cg_family family, const struct cg_group_settings *settings, struct cg_problem *problem) {
    int fd = make_socket(family, settings);
    if (fd < 0 && errno == EAFNOSUPPORT) return CG_OK; /* socket->fd stays -1 */
    int error = fd < 0 ? errno : cg_inlet_open(&socket->inlet, uv, fd, group->room, group->on_datagram, group->ctx);
    if (error != 0) {
        if (fd >= 0) close(fd);
        return cg_problem_set(problem, CG_E_EMIT, "no IPv%d socket on group.address and port %u: %s", family,
                              settings->port, uv_strerror(-error));
    }
    socket->group = group;
    socket->fd = fd;
    socket->inlet.errors = socket;
    socket->inlet.on_error = on_error;
    (void)cg_unreachable_want(fd, family); /* without, nobody is told why a member is silent */
    group->open_inlets++;
    return CG_OK;
}

/* Where any port will do, IPv6 takes that of IPv4, if nobody else has it: one number is then all there is to know. */
static int open_ipv6(struct cg_group_socket *group, uv_loop_t *uv, const struct cg_group_settings *settings,
                     struct cg_problem *problem) {
    struct cg_group_settings same = *settings;
    struct cg_problem ignored = {0};
    same.port = cg_group_socket_port(group, CG_FAMILY_IPV4);
    bool any = settings->port == 0 && same.port != 0;
    if (any && open_family(group, &group->v6, uv, CG_FAMILY_IPV6, &same, &ignored) == CG_OK) return CG_OK;
    return open_family(group, &group->v6, uv, CG_FAMILY_IPV6, settings, problem);
}

static void free_group(struct cg_group_socket *group) {
    cg_interfaces_fini(&group->interfaces);
    cg_routes_fini(&group->routes);
    cg_inlet_room_free(group->room);
    free(group);
}

static void on_closed(struct cg_inlet *inlet) {
    struct cg_group_socket *group = CG_CONTAINER(inlet, struct family_socket, inlet)->group;
    if (--group->open_inlets == 0) free_group(group);
}

static void close_family(struct family_socket *socket) {
    if (socket->fd < 0) return;
    cg_inlet_close(&socket->inlet, on_closed);
    close(socket->fd);
    socket->fd = -1;
}

void cg_group_socket_close(struct cg_group_socket *group) {
    if (group == NULL) return;
    if (group->open_inlets == 0) {
        free_group(group);
        return;
    }
    close_family(&group->v4);
    close_family(&group->v6);
}

struct cg_group_socket *cg_group_socket_open(uv_loop_t *uv, const struct cg_group_settings *settings,
                                             cg_datagram_fn on_datagram, void *ctx, struct cg_problem *problem) {
    struct cg_group_socket *group = calloc(1, sizeof *group);
    struct cg_inlet_room *room = cg_inlet_room_new();
    if (group == NULL || room == NULL) {
        cg_problem_set(problem, CG_E_EMIT, "no memory for the group sockets");
        cg_inlet_room_free(room);
        free(group);
        return NULL;
    }
    group->room = room;
    group->v4.fd = group->v6.fd = -1;
    group->source = settings->address;
    group->on_datagram = on_datagram;
    group->ctx = ctx;
    cg_routes_init(&group->routes);
    if (cg_interfaces_init(&group->interfaces, problem) == CG_OK &&
        open_family(group, &group->v4, uv, CG_FAMILY_IPV4, settings, problem) == CG_OK &&
        open_ipv6(group, uv, settings, problem) == CG_OK) {
        return group;
    }
    cg_group_socket_close(group);
    return NULL;
}

uint16_t cg_group_socket_port(const struct cg_group_socket *group, enum cg_family family) {
    int fd = family == CG_FAMILY_IPV4 ? group->v4.fd : group->v6.fd;
    union cg_endpoint local;
    socklen_t len = sizeof local;
    if (fd < 0 || getsockname(fd, &local.any, &len) != 0) return 0;
    return ntohs(family == CG_FAMILY_IPV4 ? local.v4.sin_port : local.v6.sin6_port);
}

/* A socket that is connected has the address that it would send from; nothing is sent. */
struct cg_addr cg_group_socket_local(void *ctx, const struct cg_addr *peer) {
    struct cg_addr local = {.family = peer->family};
    union cg_endpoint end;
    socklen_t len = cg_endpoint_from_addr(&end, peer);
    int fd = socket(end.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, &end.any, len) == 0) (void)cg_endpoint_local(&local, fd);
    if (fd >= 0) close(fd);
    local.port = cg_group_socket_port(ctx, (enum cg_family)peer->family);
    return local;
}

uint32_t cg_group_socket_buffer(const struct cg_group_socket *group, enum cg_family family) {
    int fd = family == CG_FAMILY_IPV4 ? group->v4.fd : group->v6.fd;
    return fd < 0 ? 0 : (uint32_t)granted_buffer(fd);
}

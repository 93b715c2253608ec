/* Datagram sockets of listeners. The hard thing is the address that was asked: one socket may have all of the host's,
 * so the kernel tells it with each datagram, and is told it with each answer. Who is on loopback is told by the
 * interface, too: an address alone can be written by anybody. */
#include "fronts/coap/socket.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "io/endpoint.h"
#include "io/loop.h"

enum {
    BATCH = 32,          /* datagrams a system call */
    BATCHES_A_TURN = 16, /* then the loop turns, so that others get their share of a flood; ... */
    TURN_US = 1000,      /* ... or sooner, where each costs more */
    RECEIVE_BUFFER = 4 << 20,
    BUFFER_SIZE = 65536, /* bytes: no UDP payload is longer, jumbograms aside */
    /* An odd number of cache lines: at a power of two all buffers would begin in the same few lines of every cache. */
    BUFFER_STRIDE = BUFFER_SIZE + 5 * 64,
};

union control {
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr align;
};

struct cg_coap_inbox {
    struct mmsghdr headers[BATCH];
    struct iovec slots[BATCH];
    union cg_endpoint senders[BATCH];
    union control controls[BATCH];
    uint8_t buffers[];
};

struct cg_coap_socket {
    uv_poll_t poll;
    int fd;
    struct cg_coap_inbox *inbox;
    struct cg_addr bound;
    bool is_wildcard; /* bound to all addresses */
    unsigned loopback_index;
    cg_coap_arrival_fn *on_arrival;
    void *ctx;
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};

struct cg_coap_inbox *cg_coap_inbox_new(void) {
    struct cg_coap_inbox *inbox = malloc(sizeof *inbox + (size_t)BATCH * BUFFER_STRIDE);
    if (inbox == NULL) return NULL;
    for (int i = 0; i < BATCH; i++) {
        inbox->slots[i] =
            (struct iovec){.iov_base = inbox->buffers + (size_t)i * BUFFER_STRIDE, .iov_len = BUFFER_SIZE};
        inbox->headers[i].msg_hdr = (struct msghdr){.msg_name = &inbox->senders[i],
                                                    .msg_namelen = sizeof inbox->senders[i],
                                                    .msg_iov = &inbox->slots[i],
                                                    .msg_iovlen = 1,
                                                    .msg_control = &inbox->controls[i],
                                                    .msg_controllen = sizeof inbox->controls[i]};
    }
    return inbox;
}

void cg_coap_inbox_free(struct cg_coap_inbox *inbox) { free(inbox); }

/* ---- Receiving ---- */

/* Where a datagram was sent to, and where it came in. */
struct destination {
    struct cg_addr to;
    struct cg_addr answer_from; /* IPv4: the interface's, where `to` is a group's */
    unsigned interface;
};

static struct cg_addr ipv4(struct in_addr ip) {
    struct cg_addr addr = {.family = CG_FAMILY_IPV4};
    memcpy(addr.ip, &ip, 4);
    return addr;
}

static struct cg_addr ipv6(const struct in6_addr *ip) {
    struct cg_addr addr = {.family = CG_FAMILY_IPV6};
    memcpy(addr.ip, ip, 16);
    return addr;
}

static bool read_destination(struct msghdr *message, struct destination *destination) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(header), sizeof info);
            *destination = (struct destination){.to = ipv4(info.ipi_addr),
                                                .answer_from = ipv4(info.ipi_spec_dst),
                                                .interface = (unsigned)info.ipi_ifindex};
            return true;
        }
        if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(header), sizeof info);
            *destination = (struct destination){.to = ipv6(&info.ipi6_addr), .interface = info.ipi6_ifindex};
            return true;
        }
    }
    return false;
}

/* The unicast address to answer from: of IPv6 groups the kernel chooses it, by that interface. */
static struct cg_addr own_address(const struct cg_coap_socket *socket, const struct destination *destination) {
    struct cg_addr own = destination->to;
    bool is_group = cg_addr_is_multicast(&destination->to);
    if (is_group) own = own.family == CG_FAMILY_IPV4 ? destination->answer_from : socket->bound;
    if (own.family == CG_FAMILY_IPV6 && (is_group || cg_addr_is_link_local(&own))) own.scope = destination->interface;
    own.port = socket->bound.port;
    return own;
}

/* CoAP knows unicast and multicast only, and all who hear it would answer. The kernel would answer a datagram
 * to one of its own addresses from there, and one to a broadcast address from another. */
static bool is_broadcast(const struct destination *destination) {
    return destination->to.family == CG_FAMILY_IPV4 && !cg_addr_is_multicast(&destination->to) &&
           !cg_addr_same_host(&destination->to, &destination->answer_from);
}

/* False: nobody can have sent it, or it is for nobody here. */
static bool describe(const struct cg_coap_socket *socket, struct msghdr *message, struct cg_coap_arrival *arrival) {
    struct destination destination;
    if (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC) || !read_destination(message, &destination)) return false;
    if (is_broadcast(&destination)) return false;
    const bool by_loopback = destination.interface == socket->loopback_index;
    cg_endpoint_to_addr(&arrival->from, message->msg_name);
    arrival->to = own_address(socket, &destination);
    arrival->reached = cg_addr_is_multicast(&destination.to) ? CG_COAP_BY_MULTICAST : CG_COAP_BY_UNICAST;
    arrival->is_local = by_loopback && cg_addr_is_loopback(&arrival->from);
    return arrival->from.port != 0 && (by_loopback || !cg_addr_is_loopback(&arrival->from));
}

static void hand_on(struct cg_coap_socket *socket, unsigned count) {
    struct cg_coap_inbox *inbox = socket->inbox;
    for (unsigned i = 0; i < count; i++) {
        struct mmsghdr *header = &inbox->headers[i];
        struct cg_coap_arrival arrival = {.bytes = cg_slice_of(inbox->slots[i].iov_base, header->msg_len)};
        bool is_known = describe(socket, &header->msg_hdr, &arrival);
        header->msg_hdr.msg_namelen = sizeof inbox->senders[i];
        header->msg_hdr.msg_controllen = sizeof inbox->controls[i];
        if (is_known) socket->on_arrival(socket->ctx, &arrival);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status; /* an error of the socket is reported, and cleared, by recvmmsg */
    (void)events;
    struct cg_coap_socket *socket = poll->data;
    const uint64_t begin_us = cg_loop_now_us();
    for (int i = 0; i < BATCHES_A_TURN && cg_loop_now_us() - begin_us < TURN_US; i++) {
        int count = recvmmsg(socket->fd, socket->inbox->headers, BATCH, MSG_DONTWAIT, NULL);
        if (count > 0) hand_on(socket, (unsigned)count);
        if ((count >= 0 && count < BATCH) || (count < 0 && errno == EAGAIN)) return;
    }
}

/* ---- Sending ---- */

static void put_control(struct msghdr *message, int level, int type, const void *value, size_t len) {
    struct cmsghdr *header = message->msg_control;
    *header = (struct cmsghdr){.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len)};
    memcpy(CMSG_DATA(header), value, len);
    message->msg_controllen = CMSG_SPACE(len);
}

static void put_source(struct msghdr *message, const struct cg_addr *from) {
    if (from->family == CG_FAMILY_IPV4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, from->ip, 4);
        put_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = from->scope};
        memcpy(&info.ipi6_addr, from->ip, 16);
        put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

int cg_coap_socket_send(struct cg_coap_socket *socket, const struct cg_addr *from, const struct cg_addr *to,
                        struct cg_slice datagram) {
    union cg_endpoint endpoint;
    union control control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)datagram.data, .iov_len = datagram.len};
    struct msghdr message = {.msg_name = &endpoint, .msg_iov = &part, .msg_iovlen = 1};
    message.msg_namelen = cg_endpoint_from_addr(&endpoint, to);
    if (socket->is_wildcard) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        put_source(&message, from);
    }
    if (sendmsg(socket->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return CG_OK;
    return errno == EAGAIN || errno == ENOBUFS ? CG_E_OVERLOAD : CG_E_EMIT;
}

/* ---- Opening and closing ---- */

static bool set_int(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool set_options(int fd, int family) {
    if (family == AF_INET) {
        return set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) && set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    }
    return set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0) &&
           set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

/* A group's address is for all on this host who listen for it. */
static bool share(int fd, const struct cg_addr *addr) {
    return !cg_addr_is_multicast(addr) || set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

/* -1 with errno set. */
static int make_socket(struct cg_addr *addr) {
    union cg_endpoint local;
    socklen_t len = cg_endpoint_from_addr(&local, addr);
    int fd = socket(local.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (set_options(fd, local.any.sa_family) && share(fd, addr) && bind(fd, &local.any, len) == 0 &&
        cg_endpoint_local(addr, fd)) {
        if (!set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
            (void)set_int(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int watch(struct cg_coap_socket *socket, uv_loop_t *uv) {
    int status = uv_poll_init(uv, &socket->poll, socket->fd);
    if (status < 0) return -status;
    socket->poll.data = socket;
    CG_CHECK(uv_poll_start(&socket->poll, UV_READABLE, on_readable) == 0);
    return 0;
}

struct cg_coap_socket *cg_coap_socket_open(uv_loop_t *uv, struct cg_coap_inbox *inbox, struct cg_addr *addr,
                                           cg_coap_arrival_fn *on_arrival, void *ctx, struct cg_problem *problem) {
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(addr, text);
    struct cg_coap_socket *socket = malloc(sizeof *socket);
    int fd = socket == NULL ? -1 : make_socket(addr);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        *socket = (struct cg_coap_socket){.fd = fd,
                                          .inbox = inbox,
                                          .bound = *addr,
                                          .is_wildcard = cg_addr_is_unspecified(addr),
                                          .loopback_index = if_nametoindex("lo"),
                                          .on_arrival = on_arrival,
                                          .ctx = ctx};
        error = watch(socket, uv);
        if (error == 0) return socket;
        close(fd);
    }
    free(socket);
    cg_problem_set(problem, CG_E_INTERNAL, "cannot listen on %s: %s", text, uv_strerror(-error));
    return NULL;
}

int cg_coap_socket_join(struct cg_coap_socket *socket, const struct cg_addr *group, unsigned interface) {
    struct ip_mreqn ipv4_group = {.imr_ifindex = (int)interface};
    struct ipv6_mreq ipv6_group = {.ipv6mr_interface = interface};
    memcpy(&ipv4_group.imr_multiaddr, group->ip, sizeof ipv4_group.imr_multiaddr);
    memcpy(&ipv6_group.ipv6mr_multiaddr, group->ip, sizeof ipv6_group.ipv6mr_multiaddr);
    int status = socket->bound.family == CG_FAMILY_IPV4
                     ? setsockopt(socket->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &ipv4_group, sizeof ipv4_group)
                     : setsockopt(socket->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &ipv6_group, sizeof ipv6_group);
    return status == 0 || errno == EADDRINUSE ? CG_OK : CG_E_EMIT;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct cg_coap_socket *socket = handle->data;
    if (socket->on_closed != NULL) socket->on_closed(socket->on_closed_ctx);
    free(socket);
}

void cg_coap_socket_close(struct cg_coap_socket *socket, void (*on_closed)(void *ctx), void *ctx) {
    socket->on_closed = on_closed;
    socket->on_closed_ctx = ctx;
    uv_close((uv_handle_t *)&socket->poll, on_handle_closed);
    close(socket->fd);
}

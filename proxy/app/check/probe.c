/* A ping from a socket of its own for each address. The hard thing: an ICMP error is an answer too, and says who gave
 * it and why; it comes by the socket's error queue. */
#include "app/check/probe.h"

#include <errno.h>
#include <time.h> /* first: linux/errqueue.h needs it */

#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "io/endpoint.h"
#include "wire/msg.h"

enum { PATIENCE_MS = 1000 };

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct meaning {
    enum cg_unreachable why;
    const char *name;
};

static struct meaning icmp_meaning(const struct sock_extended_err *error) {
    if (error->ee_type == ICMP_TIME_EXCEEDED) return (struct meaning){CG_UNREACHABLE_SOMEHOW, "time exceeded"};
    if (error->ee_type != ICMP_DEST_UNREACH) return (struct meaning){CG_UNREACHABLE_SOMEHOW, "ICMP error"};
    switch (error->ee_code) {
    case ICMP_NET_UNREACH: return (struct meaning){CG_UNREACHABLE_SOMEHOW, "network unreachable"};
    case ICMP_HOST_UNREACH: return (struct meaning){CG_UNREACHABLE_HOST, "host unreachable"};
    case ICMP_PORT_UNREACH: return (struct meaning){CG_UNREACHABLE_PORT, "port unreachable: nothing listens there"};
    case ICMP_PKT_FILTERED:
    case ICMP_HOST_ANO:
    case ICMP_NET_ANO: return (struct meaning){CG_UNREACHABLE_PROHIBITED, "prohibited by a firewall"};
    default: return (struct meaning){CG_UNREACHABLE_SOMEHOW, "unreachable"};
    }
}

static struct meaning icmp6_meaning(const struct sock_extended_err *error) {
    if (error->ee_type == ICMPV6_TIME_EXCEED) return (struct meaning){CG_UNREACHABLE_SOMEHOW, "time exceeded"};
    if (error->ee_type != ICMPV6_DEST_UNREACH) return (struct meaning){CG_UNREACHABLE_SOMEHOW, "ICMP error"};
    switch (error->ee_code) {
    case ICMPV6_ADM_PROHIBITED: return (struct meaning){CG_UNREACHABLE_PROHIBITED, "prohibited by a firewall"};
    case ICMPV6_ADDR_UNREACH: return (struct meaning){CG_UNREACHABLE_HOST, "address unreachable"};
    case ICMPV6_PORT_UNREACH: return (struct meaning){CG_UNREACHABLE_PORT, "port unreachable: nothing listens there"};
    default: return (struct meaning){CG_UNREACHABLE_SOMEHOW, "unreachable"};
    }
}

static void describe_error(struct cg_probe *probe, const struct sock_extended_err *error) {
    bool ipv4 = error->ee_origin == SO_EE_ORIGIN_ICMP;
    probe->result = CG_PROBE_ICMP;
    if (!ipv4 && error->ee_origin != SO_EE_ORIGIN_ICMP6) {
        probe->why = error->ee_errno == EHOSTUNREACH ? CG_UNREACHABLE_HOST : CG_UNREACHABLE_SOMEHOW;
        snprintf(probe->what, sizeof probe->what, "%s, says this host", uv_strerror(-(int)error->ee_errno));
        return;
    }
    const struct meaning meaning = ipv4 ? icmp_meaning(error) : icmp6_meaning(error);
    struct cg_addr offender;
    char text[CG_ADDR_TEXT_MAX];
    cg_endpoint_to_addr(&offender, (const union cg_endpoint *)SO_EE_OFFENDER(error));
    cg_addr_emit_ip(&offender, text);
    probe->why = meaning.why;
    snprintf(probe->what, sizeof probe->what, "%s, says %s", meaning.name, text);
}

static bool take_error(struct cg_probe *probe) {
    union {
        char bytes[512];
        struct cmsghdr align;
    } control;
    char data[64];
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(probe->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at)) {
        bool v4 = at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR;
        bool v6 = at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR;
        if (v4 || v6) describe_error(probe, (const struct sock_extended_err *)CMSG_DATA(at));
    }
    return true;
}

static void start_ping(struct cg_probe *probe, uint16_t mid) {
    bool ipv4 = probe->to.family == CG_FAMILY_IPV4;
    union cg_endpoint to;
    int one = 1;
    uint8_t bytes[4];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_CON, CG_EMPTY, mid, (struct cg_token){0});
    probe->result = CG_PROBE_SILENT;
    probe->fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = cg_endpoint_from_addr(&to, &probe->to);
    bool sent = probe->fd >= 0 &&
                setsockopt(probe->fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_RECVERR : IPV6_RECVERR, &one,
                           sizeof one) == 0 &&
                connect(probe->fd, &to.any, len) == 0 && send(probe->fd, bytes, sizeof bytes, 0) == sizeof bytes;
    if (sent) return;
    probe->result = CG_PROBE_NOT_SENT;
    snprintf(probe->what, sizeof probe->what, "%s", uv_strerror(-errno));
}

static bool take_pong(struct cg_probe *probe, uint16_t mid, uint64_t start_ms) {
    uint8_t bytes[64];
    struct cg_msg msg;
    ssize_t len = recv(probe->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (len < 0 || cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)) < 0 || msg.type != CG_RST || msg.mid != mid)
        return false;
    probe->result = CG_PROBE_PONG;
    probe->ms = (unsigned)(now_ms() - start_ms);
    return true;
}

/* Ends with the last result, or when the patience is over. */
static void gather_pongs(struct cg_probe *probes, struct pollfd *polls, size_t count, uint64_t start_ms) {
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        polls[i] = (struct pollfd){.fd = probes[i].result == CG_PROBE_SILENT ? probes[i].fd : -1, .events = POLLIN};
        open += polls[i].fd >= 0;
    }
    for (uint64_t passed = 0; open > 0 && passed < PATIENCE_MS; passed = now_ms() - start_ms) {
        if (poll(polls, count, (int)(PATIENCE_MS - passed)) < 0 && errno != EINTR) return;
        for (size_t i = 0; i < count; i++) {
            if (polls[i].fd < 0 || polls[i].revents == 0) continue;
            if (!take_error(&probes[i]) && !take_pong(&probes[i], (uint16_t)i, start_ms)) continue;
            polls[i].fd = -1;
            open--;
        }
    }
}

void cg_probes_run(struct cg_probe *probes, size_t count) {
    struct pollfd *polls = calloc(count + 1, sizeof *polls);
    uint64_t start_ms = now_ms();
    for (size_t i = 0; i < count; i++) start_ping(&probes[i], (uint16_t)i);
    if (polls != NULL) gather_pongs(probes, polls, count, start_ms);
    free(polls);
    for (size_t i = 0; i < count; i++) {
        if (probes[i].fd >= 0) close(probes[i].fd);
        probes[i].fd = -1;
    }
}

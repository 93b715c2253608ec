/* The error queue. The hard thing: an error is the socket's, not a call's, so it also fails the next call by that
 * socket, which reports it and clears it. */
#include "io/unreachable.h"

#include <errno.h>
#include <time.h> /* first: linux/errqueue.h needs it */

#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>

#include "io/endpoint.h"

bool cg_unreachable_want(int fd, enum cg_family family) {
    const int on = 1;
    bool ipv4 = family == CG_FAMILY_IPV4;
    return setsockopt(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof on) == 0;
}

bool cg_unreachable_is_past(int error) {
    switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTO:
    case EACCES:
    case EMSGSIZE: return true;
    default: return false;
    }
}

/* This host's own errors are of the link: nobody has answered for the address. */
static enum cg_sign sign_of(const struct sock_extended_err *error) {
    bool ipv4 = error->ee_origin == SO_EE_ORIGIN_ICMP, ipv6 = error->ee_origin == SO_EE_ORIGIN_ICMP6;
    if (!ipv4 && !ipv6) return error->ee_errno == EHOSTUNREACH ? CG_SIGN_HOST_UNREACHABLE : CG_SIGN_NO_WAY;
    if (ipv4 && error->ee_type == ICMP_DEST_UNREACH) {
        if (error->ee_code == ICMP_PORT_UNREACH) return CG_SIGN_PORT_UNREACHABLE;
        if (error->ee_code == ICMP_HOST_UNREACH) return CG_SIGN_HOST_UNREACHABLE;
    }
    if (ipv6 && error->ee_type == ICMPV6_DEST_UNREACH) {
        if (error->ee_code == ICMPV6_PORT_UNREACH) return CG_SIGN_PORT_UNREACHABLE;
        if (error->ee_code == ICMPV6_ADDR_UNREACH) return CG_SIGN_HOST_UNREACHABLE;
    }
    return CG_SIGN_NO_WAY;
}

static bool is_report(const struct cmsghdr *header) {
    return (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
           (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR);
}

bool cg_unreachable_take(int fd, struct cg_addr *to, enum cg_sign *sign) {
    union {
        char bytes[512];
        struct cmsghdr align;
    } control;
    union cg_endpoint sent_to;
    char data[8]; /* of the datagram, which nobody looks at */
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {.msg_name = &sent_to,
                             .msg_namelen = sizeof sent_to,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    *to = (struct cg_addr){0};
    *sign = CG_SIGN_NO_WAY;
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at)) {
        if (!is_report(at)) continue;
        *sign = sign_of((const struct sock_extended_err *)CMSG_DATA(at));
        if (message.msg_namelen >= sizeof sent_to.any) cg_endpoint_to_addr(to, &sent_to);
    }
    return true;
}

/* Routes, by rtnetlink(7). The hard thing: the kernel answers within sendto, so nothing here waits; an answer that is
 * not there at once is none. */
#include "io/routes.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct query {
    struct nlmsghdr header;
    struct rtmsg route;
    char attributes[RTA_SPACE(16) + RTA_SPACE(sizeof(uint32_t))];
};

union reply {
    struct nlmsghdr header;
    char bytes[4096];
};

void cg_routes_init(struct cg_routes *routes) {
    *routes = (struct cg_routes){.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
}

void cg_routes_fini(struct cg_routes *routes) {
    if (routes->fd >= 0) close(routes->fd);
    routes->fd = -1;
}

static void put_attribute(struct query *query, unsigned short type, const void *value, size_t len) {
    struct rtattr *attribute = (struct rtattr *)((char *)query + NLMSG_ALIGN(query->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(len);
    memcpy(RTA_DATA(attribute), value, len);
    query->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(query->header.nlmsg_len) + RTA_SPACE(len));
}

/* Without an interface, which IPv4 would take for the answer where there is no route; only a zone says one. */
static bool send_query(struct cg_routes *routes, const struct cg_addr *addr) {
    struct cg_slice ip = cg_addr_ip(addr);
    struct query query = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof query.route),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = ++routes->asked},
        .route = {.rtm_family = ip.len == 4 ? AF_INET : AF_INET6, .rtm_dst_len = (unsigned char)(8 * ip.len)}};
    put_attribute(&query, RTA_DST, ip.data, ip.len);
    if (addr->scope != 0) put_attribute(&query, RTA_OIF, &addr->scope, sizeof addr->scope);
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent = sendto(routes->fd, &query, query.header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
    return sent == (ssize_t)query.header.nlmsg_len;
}

/* The answer to the latest query; false: an error, or none. */
static bool receive_reply(struct cg_routes *routes, union reply *reply) {
    for (;;) {
        ssize_t len = recv(routes->fd, reply, sizeof *reply, MSG_DONTWAIT);
        if (len < (ssize_t)sizeof reply->header || reply->header.nlmsg_len > (size_t)len) return false;
        if (reply->header.nlmsg_seq == routes->asked) return reply->header.nlmsg_type == RTM_NEWROUTE;
    }
}

static struct cg_way read_way(const union reply *reply) {
    const struct rtmsg *route = NLMSG_DATA(&reply->header);
    bool is_own = route->rtm_type == RTN_LOCAL;
    struct cg_way way = {.is_to_host = route->rtm_type == RTN_UNICAST || is_own, .is_own = is_own};
    int left = (int)RTM_PAYLOAD(&reply->header);
    for (const struct rtattr *it = RTM_RTA(route); RTA_OK(it, left); it = RTA_NEXT(it, left)) {
        if (it->rta_type == RTA_OIF) memcpy(&way.interface, RTA_DATA(it), sizeof way.interface);
        way.routed |= it->rta_type == RTA_GATEWAY || it->rta_type == RTA_VIA || it->rta_type == RTA_MULTIPATH;
    }
    return way;
}

struct cg_way cg_routes_find(struct cg_routes *routes, const struct cg_addr *to) {
    union reply reply;
    if (routes->fd < 0 || to->family == CG_FAMILY_NONE) return (struct cg_way){0};
    return send_query(routes, to) && receive_reply(routes, &reply) ? read_way(&reply) : (struct cg_way){0};
}

bool cg_routes_on_link(struct cg_routes *routes, const struct cg_addr *addr, unsigned index) {
    struct cg_way way = cg_routes_find(routes, addr);
    return way.is_to_host && !way.routed && way.interface == index;
}

/* What the kernel tells about itself. The hard thing: it is in four places (netlink, ioctl, /proc, /sys), and the
 * firewall's rules are known to its own programs alone. */
#include "app/check/evidence.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "io/endpoint.h"

enum { LINE_MAX_BYTES = 512, RULES_MAX = 6 };

/* Routes */

struct cg_way cg_evidence_route(const struct cg_addr *to) {
    struct cg_routes routes;
    if (to->scope != 0) return (struct cg_way){.interface = to->scope};
    cg_routes_init(&routes);
    struct cg_way way = cg_routes_find(&routes, to);
    cg_routes_fini(&routes);
    return way;
}

/* The kernel's own choice, asked of a socket that is only connected. */
struct cg_addr cg_evidence_source(const struct cg_addr *to, const struct cg_interface *by) {
    struct cg_addr source = {0};
    union cg_endpoint endpoint;
    int index = by == NULL ? 0 : (int)by->index;
    bool ipv4 = to->family == CG_FAMILY_IPV4;
    int fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return source;
    socklen_t len = cg_endpoint_from_addr(&endpoint, to);
    const struct ip_mreqn by_v4 = {.imr_ifindex = index};
    if (!ipv4 && index != 0) endpoint.v6.sin6_scope_id = by->index;
    bool set = ipv4 ? setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by_v4, sizeof by_v4) == 0
                    : setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0;
    if ((set || index == 0) && connect(fd, &endpoint.any, len) == 0) (void)cg_endpoint_local(&source, fd);
    close(fd);
    return source;
}

/* Interfaces */

/* The number in a file of /sys or /proc; -1: it has none. */
static long read_number(const char *folder, const char *name, const char *rest) {
    char path[256], text[32] = "";
    snprintf(path, sizeof path, "%s/%s/%s", folder, name, rest);
    FILE *file = fopen(path, "re");
    if (file == NULL) return -1;
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return read ? strtol(text, NULL, 0) : -1;
}

static void find_bridge(const char *name, struct cg_link *link) {
    char path[128], target[256];
    snprintf(path, sizeof path, "/sys/class/net/%s/brport/bridge", name);
    ssize_t len = readlink(path, target, sizeof target - 1);
    const char *bridge = name;
    if (len > 0) {
        target[len] = '\0';
        const char *slash = strrchr(target, '/');
        bridge = slash == NULL ? target : slash + 1;
    }
    long snooping = read_number("/sys/class/net", bridge, "bridge/multicast_snooping");
    if (snooping < 0) return;
    snprintf(link->bridge, sizeof link->bridge, "%.*s", IF_NAMESIZE - 1, bridge);
    link->snoops = snooping > 0;
    link->queries = read_number("/sys/class/net", bridge, "bridge/multicast_querier") > 0;
}

bool cg_evidence_link(const char *name, struct cg_link *link) {
    struct ifreq request = {0};
    *link = (struct cg_link){0};
    if (strlen(name) >= sizeof request.ifr_name) return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    strcpy(request.ifr_name, name);
    bool found = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    unsigned flags = (unsigned short)request.ifr_flags;
    if (found && ioctl(fd, SIOCGIFMTU, &request) == 0) link->mtu = (unsigned)request.ifr_mtu;
    close(fd);
    if (!found) return false;
    link->up = flags & IFF_UP;
    link->running = flags & IFF_RUNNING;
    link->multicast = flags & IFF_MULTICAST;
    link->loopback = flags & IFF_LOOPBACK;
    link->promiscuous = flags & IFF_PROMISC;
    find_bridge(name, link);
    long all = read_number("/proc/sys/net/ipv4/conf", "all", "rp_filter");
    long own = read_number("/proc/sys/net/ipv4/conf", name, "rp_filter");
    link->strict_reverse_path = (all > own ? all : own) == 1; /* the larger one counts */
    return true;
}

static const struct ifaddrs *find_address(const struct ifaddrs *list, const char *name, int family) {
    for (; list != NULL; list = list->ifa_next) {
        if (list->ifa_addr != NULL && list->ifa_addr->sa_family == family && strcmp(list->ifa_name, name) == 0)
            return list;
    }
    return NULL;
}

void cg_evidence_interfaces(struct cg_buf *to, enum cg_family family) {
    struct ifaddrs *list;
    int wanted = family == CG_FAMILY_IPV4 ? AF_INET : AF_INET6;
    const char *between = "";
    if (getifaddrs(&list) != 0) return;
    for (const struct ifaddrs *item = list; item != NULL; item = item->ifa_next) {
        if (item->ifa_addr == NULL || item->ifa_addr->sa_family != AF_PACKET) continue; /* one of these a link */
        const unsigned fit = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
        if ((item->ifa_flags & (fit | IFF_LOOPBACK)) != fit) continue;
        const struct ifaddrs *address = find_address(list, item->ifa_name, wanted);
        char text[CG_ADDR_TEXT_MAX] = "";
        struct cg_addr addr;
        if (address != NULL) {
            cg_endpoint_to_addr(&addr, (const union cg_endpoint *)address->ifa_addr);
            cg_addr_emit_ip(&addr, text);
        } else {
            snprintf(text, sizeof text, "no IPv%d address", (int)family);
        }
        cg_buf_printf(to, "%s%s (%s)", between, item->ifa_name, text);
        between = ", ";
    }
    freeifaddrs(list);
}

bool cg_evidence_owner(const struct cg_addr *addr, char name[IF_NAMESIZE]) {
    struct ifaddrs *list;
    bool found = false;
    if (getifaddrs(&list) != 0) return false;
    for (const struct ifaddrs *item = list; item != NULL && !found; item = item->ifa_next) {
        struct cg_addr own;
        if (item->ifa_addr == NULL || (item->ifa_addr->sa_family != AF_INET && item->ifa_addr->sa_family != AF_INET6))
            continue;
        cg_endpoint_to_addr(&own, (const union cg_endpoint *)item->ifa_addr);
        found = own.family == addr->family && cg_slice_equal(cg_addr_ip(&own), cg_addr_ip(addr));
        if (found) snprintf(name, IF_NAMESIZE, "%.*s", IF_NAMESIZE - 1, item->ifa_name);
    }
    freeifaddrs(list);
    return found;
}

/* Neighbours: all are dumped, and one is looked for. */

static enum cg_neighbour neighbour_of_state(unsigned state) {
    if (state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)) return CG_NEIGHBOUR_PRESENT;
    if (state & (NUD_INCOMPLETE | NUD_FAILED)) return CG_NEIGHBOUR_ABSENT;
    return state & (NUD_STALE | NUD_DELAY | NUD_PROBE) ? CG_NEIGHBOUR_DOUBTFUL : CG_NEIGHBOUR_UNKNOWN;
}

static bool is_neighbour(const struct nlmsghdr *header, const struct cg_addr *addr, unsigned interface) {
    const struct ndmsg *message = NLMSG_DATA(header);
    struct cg_slice ip = cg_addr_ip(addr);
    int left = (int)NLMSG_PAYLOAD(header, sizeof *message);
    if (header->nlmsg_type != RTM_NEWNEIGH || message->ndm_ifindex != (int)interface) return false;
    const struct rtattr *it = (const struct rtattr *)((const char *)message + NLMSG_ALIGN(sizeof *message));
    for (; RTA_OK(it, left); it = RTA_NEXT(it, left)) {
        if (it->rta_type == NDA_DST) return cg_slice_equal(cg_slice_of(RTA_DATA(it), RTA_PAYLOAD(it)), ip);
    }
    return false;
}

/* False: that was the last part. */
static bool read_neighbours(int fd, const struct cg_addr *addr, unsigned interface, enum cg_neighbour *found) {
    union {
        struct nlmsghdr header;
        char bytes[16384];
    } part;
    ssize_t got = recv(fd, &part, sizeof part, 0);
    if (got <= 0) return false;
    int left = (int)got;
    for (struct nlmsghdr *it = &part.header; NLMSG_OK(it, (unsigned)left); it = NLMSG_NEXT(it, left)) {
        if (it->nlmsg_type == NLMSG_DONE || it->nlmsg_type == NLMSG_ERROR) return false;
        if (!is_neighbour(it, addr, interface)) continue;
        *found = neighbour_of_state(((const struct ndmsg *)NLMSG_DATA(it))->ndm_state);
    }
    return true;
}

enum cg_neighbour cg_evidence_neighbour(const struct cg_addr *addr, unsigned interface) {
    enum cg_neighbour found = CG_NEIGHBOUR_UNKNOWN;
    const struct {
        struct nlmsghdr header;
        struct ndmsg message;
    } query = {
        .header = {.nlmsg_len = sizeof query, .nlmsg_type = RTM_GETNEIGH, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .message = {.ndm_family = addr->family == CG_FAMILY_IPV4 ? AF_INET : AF_INET6}};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return found;
    if (send(fd, &query, sizeof query, 0) == (ssize_t)sizeof query)
        while (read_neighbours(fd, addr, interface, &found)) continue;
    close(fd);
    return found;
}

void cg_evidence_doubt_neighbour(const struct cg_addr *addr, unsigned interface) {
    struct {
        struct nlmsghdr header;
        struct ndmsg message;
        struct rtattr attribute;
        uint8_t ip[16];
    } change = {.header = {.nlmsg_type = RTM_NEWNEIGH, .nlmsg_flags = NLM_F_REQUEST | NLM_F_REPLACE},
                .message = {.ndm_family = addr->family == CG_FAMILY_IPV4 ? AF_INET : AF_INET6,
                            .ndm_ifindex = (int)interface,
                            .ndm_state = NUD_PROBE},
                .attribute = {.rta_type = NDA_DST}};
    struct cg_slice ip = cg_addr_ip(addr);
    memcpy(change.ip, ip.data, ip.len);
    change.attribute.rta_len = (unsigned short)RTA_LENGTH(ip.len);
    change.header.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof change.message) + RTA_SPACE(ip.len));
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return;
    (void)send(fd, &change, change.header.nlmsg_len, 0); /* refused to others: then what is known must do */
    close(fd);
}

/* Groups: /proc/net/igmp names an interface in one line and its groups, as numbers in host order, in the following
 * ones; igmp6 has one line a group. */

static bool is_joined_v4(FILE *file, const struct cg_addr *group, unsigned interface) {
    char line[LINE_MAX_BYTES];
    unsigned index = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char *end;
        if (line[0] != '\t') {
            index = (unsigned)strtoul(line, NULL, 10);
            continue;
        }
        uint32_t address = (uint32_t)strtoul(line, &end, 16);
        if (index == interface && end != line && memcmp(&address, group->ip, sizeof address) == 0) return true;
    }
    return false;
}

static bool is_joined_v6(FILE *file, const struct cg_addr *group, unsigned interface) {
    char line[LINE_MAX_BYTES], wanted[33], address[33];
    for (size_t i = 0; i < 16; i++) snprintf(wanted + 2 * i, 3, "%02x", group->ip[i]);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned index;
        if (sscanf(line, "%u %*s %32s", &index, address) != 2) continue;
        if (index == interface && strcmp(address, wanted) == 0) return true;
    }
    return false;
}

bool cg_evidence_is_joined(const struct cg_addr *group, unsigned interface) {
    bool ipv4 = group->family == CG_FAMILY_IPV4;
    FILE *file = fopen(ipv4 ? "/proc/net/igmp" : "/proc/net/igmp6", "re");
    if (file == NULL) return false;
    bool joined = (ipv4 ? is_joined_v4 : is_joined_v6)(file, group, interface);
    fclose(file);
    return joined;
}

/* Drops */

/* Two lines, the names and the numbers in the same order. */
static uint64_t read_column(FILE *file, const char *section, const char *column) {
    char names[8192], values[8192];
    size_t len = strlen(section);
    while (fgets(names, sizeof names, file) != NULL && fgets(values, sizeof values, file) != NULL) {
        char *names_at, *values_at;
        if (strncmp(names, section, len) != 0) continue;
        const char *name = strtok_r(names, " \n", &names_at), *value = strtok_r(values, " \n", &values_at);
        while (name != NULL && value != NULL) {
            if (strcmp(name, column) == 0) return strtoull(value, NULL, 10);
            name = strtok_r(NULL, " \n", &names_at);
            value = strtok_r(NULL, " \n", &values_at);
        }
    }
    return 0;
}

static uint64_t read_counter(const char *path, const char *section, const char *column) {
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    uint64_t count = read_column(file, section, column);
    fclose(file);
    return count;
}

/* A name and a number a line. */
static uint64_t read_line_counter(const char *path, const char *name) {
    char line[LINE_MAX_BYTES], key[64];
    unsigned long long value;
    uint64_t found = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%63s %llu", key, &value) == 2 && strcmp(key, name) == 0) found = value;
    }
    fclose(file);
    return found;
}

void cg_evidence_drops(struct cg_drops *drops) {
    drops->reverse_path = read_counter("/proc/net/netstat", "TcpExt:", "IPReversePathFilter");
    drops->checksums = read_counter("/proc/net/snmp", "Udp:", "InCsumErrors") +
                       read_line_counter("/proc/net/snmp6", "Udp6InCsumErrors");
}

bool cg_evidence_is_martian(const struct cg_addr *from, const char **what) {
    char owner[IF_NAMESIZE];
    bool ipv4 = from->family == CG_FAMILY_IPV4;
    if (cg_addr_is_multicast(from)) {
        *what = "a group";
    } else if (cg_addr_is_loopback(from)) {
        *what = "a loopback address";
    } else if (ipv4 ? from->ip[0] == 0 : memcmp(from->ip, &in6addr_any, 16) == 0) {
        *what = "nobody's address";
    } else if (ipv4 && from->ip[0] >= 240) {
        *what = "a broadcast or reserved address";
    } else if (cg_evidence_owner(from, owner)) {
        *what = "this host's own address";
    } else {
        return false;
    }
    return true;
}

static void put_rule(struct cg_buf *to, unsigned *rules, const char *line) {
    line += strspn(line, " \t");
    if ((*rules)++ >= RULES_MAX) return;
    cg_buf_put(to, line, strcspn(line, "\n"));
    cg_buf_put_u8(to, '\n');
}

/* Chains at the hooks input and prerouting, and what is jumped to from there, would be a program of its own; every drop
 * is shown instead, but for those of chains that only see what leaves or passes through. */
static bool read_nft(struct cg_buf *to, FILE *from) {
    char line[LINE_MAX_BYTES];
    bool incoming = true, any = false;
    unsigned rules = 0;
    while (fgets(line, sizeof line, from) != NULL) {
        any = true;
        if (strstr(line, "chain ") != NULL) incoming = true;
        if (strstr(line, "hook output") != NULL || strstr(line, "hook forward") != NULL) incoming = false;
        bool policy = strstr(line, "policy drop") != NULL;
        bool rule =
            strstr(line, " drop\n") != NULL || strstr(line, "\tdrop\n") != NULL || strstr(line, "reject") != NULL;
        if (incoming && (policy || rule)) put_rule(to, &rules, line);
    }
    return any;
}

static bool read_iptables(struct cg_buf *to, FILE *from) {
    char line[LINE_MAX_BYTES];
    unsigned rules = 0;
    bool any = false;
    while (fgets(line, sizeof line, from) != NULL) {
        any = true;
        bool policy = strncmp(line, ":INPUT DROP", 11) == 0;
        bool rule = strncmp(line, "-A ", 3) == 0 && strncmp(line, "-A OUTPUT", 9) != 0 &&
                    strncmp(line, "-A FORWARD", 10) != 0 &&
                    (strstr(line, "-j DROP") != NULL || strstr(line, "-j REJECT") != NULL);
        if (policy || rule) put_rule(to, &rules, line);
    }
    return any;
}

static bool read_rules(struct cg_buf *to, const char *command, bool (*read)(struct cg_buf *to, FILE *from)) {
    FILE *pipe = popen(command, "re");
    if (pipe == NULL) return false;
    bool any = read(to, pipe);
    return pclose(pipe) == 0 && any;
}

bool cg_evidence_rules(struct cg_buf *to) {
#define SEARCH "PATH=\"$PATH:/usr/sbin:/sbin\" "
    if (read_rules(to, SEARCH "nft list ruleset 2>/dev/null", read_nft) && to->len > 0) return true;
    return read_rules(to, SEARCH "iptables-save 2>/dev/null", read_iptables) || to->len > 0;
#undef SEARCH
}

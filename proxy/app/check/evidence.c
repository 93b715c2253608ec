/* Eyes and ears of --check. The hard thing is to tell "no answer came" from "answers came and this host dropped them":
 * a packet socket sees a datagram before the firewall and the reverse path filter do, the group socket behind them. */
#include "app/check/evidence.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "io/endpoint.h"
#include "wire/msg.h"

enum { PING_PATIENCE_MS = 1000, LINE_MAX_BYTES = 512, RULES_MAX = 6, TAP_BUFFER = 8 << 20 };

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
    int index = (int)by->index;
    bool ipv4 = to->family == CG_FAMILY_IPV4;
    int fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return source;
    socklen_t len = cg_endpoint_from_addr(&endpoint, to);
    const struct ip_mreqn by_v4 = {.imr_ifindex = index};
    if (!ipv4) endpoint.v6.sin6_scope_id = by->index;
    bool set = ipv4 ? setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by_v4, sizeof by_v4) == 0
                    : setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0;
    if (set && connect(fd, &endpoint.any, len) == 0) {
        len = sizeof endpoint;
        if (getsockname(fd, &endpoint.any, &len) == 0) cg_endpoint_to_addr(&source, &endpoint);
    }
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

uint64_t cg_evidence_reverse_path_drops(void) {
    FILE *file = fopen("/proc/net/netstat", "re");
    if (file == NULL) return 0;
    uint64_t drops = read_column(file, "TcpExt:", "IPReversePathFilter");
    fclose(file);
    return drops;
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

/* The wire */

/* UDP to one of two ports: IPv4 without the later fragments, IPv6 without extension headers. Jumps count from the next
 * line. */
static bool attach_filter(int fd, uint16_t port_v4, uint16_t port_v6) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 8, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 12),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* IPv4: protocol */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 10),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), /* fragment offset */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 8, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* header length */
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port_v4, 4, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6), /* IPv6: next header */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 42),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port_v6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 64),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/* Filter first, protocol then: until it is bound to one, it hears nothing. */
void cg_tap_open(struct cg_tap *tap, uint16_t port_v4, uint16_t port_v6) {
    *tap = (struct cg_tap){.fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (tap->fd < 0) return;
    int room = TAP_BUFFER; /* it is read once, when all is over */
    (void)setsockopt(tap->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    const struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    if (attach_filter(tap->fd, port_v4, port_v6) && bind(tap->fd, (const struct sockaddr *)&all, sizeof all) == 0)
        return;
    cg_tap_close(tap);
}

static void note_sighting(struct cg_tap *tap, unsigned interface, const struct cg_addr *from) {
    tap->total++;
    for (size_t i = 0; i < tap->count; i++) {
        struct cg_sighting *known = &tap->list[i];
        if (known->interface != interface || !cg_addr_equal(&known->from, from)) continue;
        known->count++;
        return;
    }
    if (tap->count == CG_SIGHTINGS_MAX) return;
    tap->list[tap->count++] = (struct cg_sighting){.interface = interface, .from = *from, .count = 1};
}

static unsigned lost_by(int fd) {
    struct tpacket_stats stats = {0};
    socklen_t len = sizeof stats;
    return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0 ? stats.tp_drops : 0;
}

static void read_sightings(struct cg_tap *tap) {
    uint8_t packet[64];
    struct sockaddr_ll link;
    for (;;) {
        socklen_t link_len = sizeof link;
        ssize_t len = recvfrom(tap->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&link, &link_len);
        if (len < 0) return;
        if (len < 44 - 16 || link.sll_pkttype == PACKET_OUTGOING || link.sll_pkttype == PACKET_OTHERHOST) continue;
        struct cg_addr from = {.family = packet[0] >> 4 == 4 ? CG_FAMILY_IPV4 : CG_FAMILY_IPV6};
        size_t header = from.family == CG_FAMILY_IPV4 ? (size_t)(packet[0] & 15) * 4 : 40;
        if ((size_t)len < header + 4) continue;
        memcpy(from.ip, packet + (from.family == CG_FAMILY_IPV4 ? 12 : 8), cg_addr_ip(&from).len);
        from.port = (uint16_t)(packet[header] << 8 | packet[header + 1]);
        note_sighting(tap, (unsigned)link.sll_ifindex, &from);
    }
}

void cg_tap_read(struct cg_tap *tap) {
    if (tap->fd < 0) return;
    read_sightings(tap);
    tap->lost += lost_by(tap->fd);
}

void cg_tap_close(struct cg_tap *tap) {
    if (tap->fd >= 0) close(tap->fd);
    tap->fd = -1;
}

/* Pings */

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const char *icmp_name(const struct sock_extended_err *error) {
    if (error->ee_origin == SO_EE_ORIGIN_ICMP) {
        if (error->ee_type == ICMP_TIME_EXCEEDED) return "time exceeded";
        if (error->ee_type != ICMP_DEST_UNREACH) return "ICMP error";
        switch (error->ee_code) {
        case ICMP_NET_UNREACH: return "network unreachable";
        case ICMP_HOST_UNREACH: return "host unreachable";
        case ICMP_PORT_UNREACH: return "port unreachable: nothing listens there";
        case ICMP_PKT_FILTERED:
        case ICMP_HOST_ANO:
        case ICMP_NET_ANO: return "prohibited by a firewall";
        default: return "unreachable";
        }
    }
    if (error->ee_type == ICMPV6_TIME_EXCEED) return "time exceeded";
    if (error->ee_type != ICMPV6_DEST_UNREACH) return "ICMP error";
    switch (error->ee_code) {
    case ICMPV6_ADM_PROHIBITED: return "prohibited by a firewall";
    case ICMPV6_ADDR_UNREACH: return "address unreachable";
    case ICMPV6_PORT_UNREACH: return "port unreachable: nothing listens there";
    default: return "unreachable";
    }
}

static void describe_error(struct cg_ping *ping, const struct sock_extended_err *error) {
    ping->result = CG_PING_ICMP;
    if (error->ee_origin != SO_EE_ORIGIN_ICMP && error->ee_origin != SO_EE_ORIGIN_ICMP6) {
        snprintf(ping->what, sizeof ping->what, "%s, says this host", uv_strerror(-(int)error->ee_errno));
        return;
    }
    struct cg_addr offender;
    char text[CG_ADDR_TEXT_MAX];
    cg_endpoint_to_addr(&offender, (const union cg_endpoint *)SO_EE_OFFENDER(error));
    cg_addr_emit_ip(&offender, text);
    snprintf(ping->what, sizeof ping->what, "%s, says %s", icmp_name(error), text);
}

static bool take_error(struct cg_ping *ping) {
    union {
        char bytes[512];
        struct cmsghdr align;
    } control;
    char data[64];
    struct iovec part = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(ping->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at)) {
        bool v4 = at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR;
        bool v6 = at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR;
        if (v4 || v6) describe_error(ping, (const struct sock_extended_err *)CMSG_DATA(at));
    }
    return true;
}

static void start_ping(struct cg_ping *ping, uint16_t mid) {
    bool ipv4 = ping->to.family == CG_FAMILY_IPV4;
    union cg_endpoint to;
    int one = 1;
    uint8_t bytes[4];
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, bytes, sizeof bytes, CG_CON, CG_EMPTY, mid, (struct cg_token){0});
    ping->result = CG_PING_SILENT;
    ping->fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = cg_endpoint_from_addr(&to, &ping->to);
    bool sent = ping->fd >= 0 &&
                setsockopt(ping->fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_RECVERR : IPV6_RECVERR, &one,
                           sizeof one) == 0 &&
                connect(ping->fd, &to.any, len) == 0 && send(ping->fd, bytes, sizeof bytes, 0) == sizeof bytes;
    if (sent) return;
    ping->result = CG_PING_NOT_SENT;
    snprintf(ping->what, sizeof ping->what, "%s", uv_strerror(-errno));
}

static bool take_pong(struct cg_ping *ping, uint16_t mid, uint64_t start_ms) {
    uint8_t bytes[64];
    struct cg_msg msg;
    ssize_t len = recv(ping->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (len < 0 || cg_msg_parse(&msg, cg_slice_of(bytes, (size_t)len)) < 0 || msg.type != CG_RST || msg.mid != mid)
        return false;
    ping->result = CG_PING_PONG;
    ping->ms = (unsigned)(now_ms() - start_ms);
    return true;
}

/* Ends with the last result, or when the patience is over. */
static void gather_pongs(struct cg_ping *pings, struct pollfd *polls, size_t count, uint64_t start_ms) {
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        polls[i] = (struct pollfd){.fd = pings[i].result == CG_PING_SILENT ? pings[i].fd : -1, .events = POLLIN};
        open += polls[i].fd >= 0;
    }
    for (uint64_t passed = 0; open > 0 && passed < PING_PATIENCE_MS; passed = now_ms() - start_ms) {
        if (poll(polls, count, (int)(PING_PATIENCE_MS - passed)) < 0 && errno != EINTR) return;
        for (size_t i = 0; i < count; i++) {
            if (polls[i].fd < 0 || polls[i].revents == 0) continue;
            if (!take_error(&pings[i]) && !take_pong(&pings[i], (uint16_t)i, start_ms)) continue;
            polls[i].fd = -1;
            open--;
        }
    }
}

void cg_pings_run(struct cg_ping *pings, size_t count) {
    struct pollfd *polls = calloc(count + 1, sizeof *polls);
    uint64_t start_ms = now_ms();
    for (size_t i = 0; i < count; i++) start_ping(&pings[i], (uint16_t)i);
    if (polls != NULL) gather_pongs(pings, polls, count, start_ms);
    free(polls);
    for (size_t i = 0; i < count; i++) {
        if (pings[i].fd >= 0) close(pings[i].fd);
        pings[i].fd = -1;
    }
}

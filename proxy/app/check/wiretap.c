/* A packet socket on all interfaces. The hard thing is that it must see a datagram before the firewall and the reverse
 * path filter do, and cost nothing else of the host's traffic: the kernel filters for it. */
#include "app/check/wiretap.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <unistd.h>

#include "io/endpoint.h"

enum { BUFFER = 8 << 20 }; /* bytes */

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
void cg_wiretap_open(struct cg_wiretap *tap, uint16_t port_v4, uint16_t port_v6) {
    *tap = (struct cg_wiretap){.fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (tap->fd < 0) return;
    int room = BUFFER; /* it is read once, when all is over */
    (void)setsockopt(tap->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    const struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    if (attach_filter(tap->fd, port_v4, port_v6) && bind(tap->fd, (const struct sockaddr *)&all, sizeof all) == 0)
        return;
    cg_wiretap_close(tap);
}

static void note_sighting(struct cg_wiretap *tap, unsigned interface, const struct cg_addr *from) {
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

static void read_sightings(struct cg_wiretap *tap) {
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

void cg_wiretap_read(struct cg_wiretap *tap) {
    if (tap->fd < 0) return;
    read_sightings(tap);
    tap->lost += lost_by(tap->fd);
}

void cg_wiretap_close(struct cg_wiretap *tap) {
    if (tap->fd >= 0) close(tap->fd);
    tap->fd = -1;
}

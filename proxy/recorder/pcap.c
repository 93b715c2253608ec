/* The hard thing: the UDP checksum of IPv6 may not be left out (RFC 8200 §8.1), so it is counted. */
#include "recorder/pcap.h"

#include "wire/msg.h"

enum {
    MAGIC = 0xa1b2c3d4, /* microseconds, in the order in which this host has bytes */
    LINKTYPE_RAW = 101,
    SNAP_LEN = 65535,
    UDP = 17,
    IPV4_HEAD = 20,
    IPV6_HEAD = 40,
    UDP_HEAD = 8,
    HOPS = 64, /* nobody knows */
};

struct file_head {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snap_len, link;
};

struct packet_head {
    uint32_t seconds, microseconds, kept, len;
};

struct packet {
    const struct cg_addr *from, *to;
    struct cg_slice bytes;
    size_t shown; /* of them */
};

static void put_u16(uint8_t *to, size_t number) {
    to[0] = (uint8_t)(number >> 8);
    to[1] = (uint8_t)number;
}

/* RFC 1071: the sum of 16-bit words, an odd byte filled up. */
static uint32_t add_words(uint32_t sum, struct cg_slice bytes) {
    for (size_t i = 0; i + 1 < bytes.len; i += 2) sum += (uint32_t)(bytes.data[i] << 8 | bytes.data[i + 1]);
    if (bytes.len % 2 == 1) sum += (uint32_t)bytes.data[bytes.len - 1] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static size_t udp_len(const struct packet *packet) { return UDP_HEAD + packet->bytes.len; }

static void make_udp(const struct packet *packet, uint8_t head[UDP_HEAD]) {
    const size_t len = udp_len(packet);
    put_u16(head, packet->from->port);
    put_u16(head + 2, packet->to->port);
    put_u16(head + 4, len);
    put_u16(head + 6, 0);
    uint32_t sum = add_words(UDP + (uint32_t)len, cg_addr_ip(packet->from));
    sum = add_words(sum, cg_addr_ip(packet->to));
    const uint16_t checksum = fold(add_words(add_words(sum, cg_slice_of(head, UDP_HEAD)), packet->bytes));
    put_u16(head + 6, checksum == 0 ? 0xffff : checksum);
}

static size_t make_ipv4(const struct packet *packet, uint8_t head[IPV6_HEAD]) {
    memset(head, 0, IPV4_HEAD);
    head[0] = 0x45;
    put_u16(head + 2, IPV4_HEAD + udp_len(packet));
    head[8] = HOPS;
    head[9] = UDP;
    memcpy(head + 12, packet->from->ip, 4);
    memcpy(head + 16, packet->to->ip, 4);
    put_u16(head + 10, fold(add_words(0, cg_slice_of(head, IPV4_HEAD))));
    return IPV4_HEAD;
}

static size_t make_ipv6(const struct packet *packet, uint8_t head[IPV6_HEAD]) {
    memset(head, 0, IPV6_HEAD);
    head[0] = 0x60;
    put_u16(head + 4, udp_len(packet));
    head[6] = UDP;
    head[7] = HOPS;
    memcpy(head + 8, packet->from->ip, 16);
    memcpy(head + 24, packet->to->ip, 16);
    return IPV6_HEAD;
}

static void put_packet(struct cg_buf *to, const struct packet *packet, uint64_t unix_us) {
    uint8_t ip[IPV6_HEAD], udp[UDP_HEAD];
    const bool is_v4 = packet->to->family == CG_FAMILY_IPV4;
    const size_t ip_len = is_v4 ? make_ipv4(packet, ip) : make_ipv6(packet, ip);
    const uint32_t len = (uint32_t)(ip_len + udp_len(packet));
    const struct cg_slice shown = cg_slice_of(packet->bytes.data, packet->shown);
    const struct packet_head head = {.seconds = (uint32_t)(unix_us / 1000000),
                                     .microseconds = (uint32_t)(unix_us % 1000000),
                                     .kept = len - (uint32_t)(packet->bytes.len - shown.len),
                                     .len = len};
    make_udp(packet, udp);
    cg_buf_put(to, &head, sizeof head);
    cg_buf_put(to, ip, ip_len);
    cg_buf_put(to, udp, sizeof udp);
    cg_buf_put_slice(to, shown);
}

/* ---- Payloads ---- */

/* As far as what anybody on the link could read; of what is no message of CoAP, nothing. */
static size_t len_without_payload(struct cg_slice bytes) {
    struct cg_msg msg;
    struct cg_slice oscore;
    if (cg_msg_parse(&msg, bytes) < 0) return 0;
    return cg_msg_find(&msg, CG_OPT_OSCORE, &oscore) ? bytes.len : bytes.len - msg.payload.len;
}

/* ---- Ends ---- */

/* Asked once a family, since each question costs the kernel some calls: of its first peer that is no group, because the
 * way to a group says less. */
struct ends {
    cg_local_fn *local;
    void *ctx;
    struct cg_addr v4, v6;
};

static const struct cg_addr *own_end(struct ends *ends, const struct cg_addr *peer) {
    struct cg_addr *own = peer->family == CG_FAMILY_IPV4 ? &ends->v4 : &ends->v6;
    if (own->family != CG_FAMILY_NONE) return own;
    *own = ends->local(ends->ctx, peer);
    own->family = peer->family;
    return own;
}

static void find_ends(struct ends *ends, const struct cg_tape *tape) {
    struct cg_tape_datagram datagram;
    struct cg_slice bytes;
    for (size_t at = 0; cg_tape_next_datagram(tape, &at, &datagram, &bytes);) {
        if (!cg_addr_is_multicast(&datagram.peer)) own_end(ends, &datagram.peer);
    }
}

void cg_pcap_put(struct cg_buf *to, const struct cg_tape *tape, enum cg_tape_payloads payloads, cg_local_fn *local,
                 void *ctx) {
    const bool is_whole = payloads == CG_TAPE_SHOWS_PAYLOADS && tape->said.keeps_payloads;
    const struct file_head head = {.magic = MAGIC, .major = 2, .minor = 4, .snap_len = SNAP_LEN, .link = LINKTYPE_RAW};
    struct ends ends = {.local = local, .ctx = ctx};
    struct cg_tape_datagram datagram;
    struct cg_slice bytes;
    find_ends(&ends, tape);
    cg_buf_put(to, &head, sizeof head);
    for (size_t at = 0; cg_tape_next_datagram(tape, &at, &datagram, &bytes);) {
        const bool is_out = datagram.direction == CG_DIRECTION_OUT;
        const struct cg_addr *own = own_end(&ends, &datagram.peer);
        const struct packet packet = {.from = is_out ? own : &datagram.peer,
                                      .to = is_out ? &datagram.peer : own,
                                      .bytes = bytes,
                                      .shown = is_whole ? bytes.len : len_without_payload(bytes)};
        put_packet(to, &packet, datagram.at_us + tape->unix_us);
    }
}

/* A transport address: IP, port, zone, and the connection or session that leads there, as those are other endpoints
 * than who is there by plain datagrams (RFC 7252 §1.2, §4.7). Plain data, comparable with memcmp when it was zeroed
 * first (every function here does). */
#ifndef CG_WIRE_ADDR_H
#define CG_WIRE_ADDR_H

#include "base/err.h"
#include "base/slice.h"

enum cg_family { CG_FAMILY_NONE = 0, CG_FAMILY_IPV4 = 4, CG_FAMILY_IPV6 = 6 };

struct cg_addr {
    uint8_t family;      /* enum cg_family */
    uint8_t unused;      /* zero: no padding with chance content */
    uint16_t port;       /* host byte order */
    uint32_t scope;      /* interface index of a link-local IPv6 address; 0: none */
    uint8_t ip[16];      /* network byte order; IPv4 uses the first 4, the rest is zero */
    uint32_t connection; /* a number, of whoever keeps it (legs/connection.h); 0: plain datagrams */
};

/* Of those connections that are byte streams: nothing is lost on them, or comes twice (RFC 8323 §2). */
#define CG_ADDR_STREAM 0x80000000u

static inline bool cg_addr_is_by_stream(const struct cg_addr *addr) { return (addr->connection & CG_ADDR_STREAM) != 0; }

#define CG_ADDR_TEXT_MAX 80 /* "[ffff:…%4294967295]:65535" with NUL */

bool cg_addr_equal(const struct cg_addr *a, const struct cg_addr *b);
struct cg_addr cg_addr_host(const struct cg_addr *addr); /* the same without its port (0) */
/* What limits for each host count by: an IPv4 address, of an IPv6 one the first 64 bits, since whoever has one of these
 * has them all. Without port and zone. */
struct cg_addr cg_addr_network(const struct cg_addr *addr);
/* A dual-stack socket reports IPv4 addresses as IPv6's: as the IPv4 addresses that they are. */
struct cg_addr cg_addr_unmapped(const struct cg_addr *addr);
/* The same host, whatever the port; a zone that is not said (0) is any. An address without family is nobody's. */
bool cg_addr_same_host(const struct cg_addr *a, const struct cg_addr *b);
uint32_t cg_addr_hash(const struct cg_addr *addr);
bool cg_addr_is_multicast(const struct cg_addr *addr);
bool cg_addr_is_unspecified(const struct cg_addr *addr); /* 0.0.0.0, ::, or no address at all */
bool cg_addr_is_loopback(const struct cg_addr *addr);
bool cg_addr_is_link_local(const struct cg_addr *addr); /* fe80::/10: means nothing without its zone */
/* The IP's bytes: 4 or 16. */
struct cg_slice cg_addr_ip(const struct cg_addr *addr);

/* "1.2.3.4", "1.2.3.4:5", "2001:db8::1", "[2001:db8::1]:5", "[::1]"; `default_port` where the text has none. An IPv6
 * zone is accepted as a number above 0 only ("%2"): names belong to the shell. CG_E_FORMAT; *addr is then all zero. */
int cg_addr_parse(struct cg_addr *addr, struct cg_slice text, uint16_t default_port) CG_MUST_CHECK;
/* Only the IP, without brackets, zone or port (port becomes 0). */
int cg_addr_parse_ip(struct cg_addr *addr, struct cg_slice text) CG_MUST_CHECK;
/* "1.2.3.4:5683", "[2001:db8::1%2]:5683"; NUL-terminated, returns the length without it. IPv6 per RFC 5952.
 * The IP of an address without family is empty text. */
size_t cg_addr_emit(const struct cg_addr *addr, char text[CG_ADDR_TEXT_MAX]);
size_t cg_addr_emit_ip(const struct cg_addr *addr, char text[CG_ADDR_TEXT_MAX]); /* without port, zone and brackets */

#endif

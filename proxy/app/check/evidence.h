/* What this host can tell about why a group stays silent: its routes, its interfaces, what reached it and what it
 * dropped. Everything here is read from the system or seen on the wire, nothing is guessed. For --check only: these
 * functions may block for a moment. */
#ifndef CG_APP_CHECK_EVIDENCE_H
#define CG_APP_CHECK_EVIDENCE_H

#include "base/buf.h"
#include "io/interfaces.h"
#include "io/routes.h"

/* A link-local address is on its zone, whatever the routes say. */
struct cg_way cg_evidence_route(const struct cg_addr *to);
/* What source address a datagram to `to` by this interface would have (port 0); family NONE: there is none. */
struct cg_addr cg_evidence_source(const struct cg_addr *to, const struct cg_interface *by);

struct cg_link {
    bool up, running, multicast, loopback, promiscuous;
    unsigned mtu;
    char bridge[IF_NAMESIZE]; /* that it is, or is a port of; empty: none */
    bool snoops;              /* that bridge does, and */
    bool queries;             /* is itself a querier */
    bool strict_reverse_path; /* rp_filter 1 (IPv4) */
};
/* False: there is no such interface. */
bool cg_evidence_link(const char *name, struct cg_link *link);

/* Interfaces that could carry multicast, with an address of that family where they have one: "eth0 (192.0.2.1), eth1
 * (no IPv4 address)". */
void cg_evidence_interfaces(struct cg_buf *to, enum cg_family family);

/* Whether some program of this host has joined the group on that interface. */
bool cg_evidence_is_joined(const struct cg_addr *group, unsigned interface);

/* Datagrams that this host has dropped so far because their source is routed by another interface (IPv4, all
 * interfaces). */
uint64_t cg_evidence_reverse_path_drops(void);

/* Rules that drop or reject what comes in, one a line, as nft or iptables-save say them. False: they cannot be read. */
bool cg_evidence_rules(struct cg_buf *to);

/* Looks at what arrives for two UDP ports, on all interfaces, before any firewall does. */
#define CG_SIGHTINGS_MAX 64
struct cg_sighting {
    unsigned interface;
    struct cg_addr from;
    unsigned count;
};
struct cg_tap {
    int fd; /* -1: not permitted */
    unsigned total;
    unsigned lost; /* not seen, because too many came at once */
    size_t count;  /* of sources listed */
    struct cg_sighting list[CG_SIGHTINGS_MAX];
};
void cg_tap_open(struct cg_tap *tap, uint16_t port_v4, uint16_t port_v6);
void cg_tap_read(struct cg_tap *tap); /* what came so far */
void cg_tap_close(struct cg_tap *tap);

/* One CoAP ping (RFC 7252 §4.3) to each, all at once; waits at most a second. */
enum cg_ping_result { CG_PING_SILENT, CG_PING_PONG, CG_PING_ICMP, CG_PING_NOT_SENT };
struct cg_ping {
    struct cg_addr to;
    enum cg_ping_result result;
    char what[160]; /* of ICMP and NOT_SENT, for people */
    unsigned ms;    /* of PONG */
    int fd;         /* internal */
};
void cg_pings_run(struct cg_ping *pings, size_t count);

#endif

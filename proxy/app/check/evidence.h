/* What this host can tell about why a group stays silent: its routes, its interfaces, and what it drops. Everything
 * here is read from the system, nothing is guessed. For --check only: these functions may block for a moment. */
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

#endif

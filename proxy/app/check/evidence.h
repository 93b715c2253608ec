/* What this host can tell about why a group stays silent: its routes, its interfaces, and what it drops. Everything
 * here is read from the system, nothing is guessed. For --check only: these functions may block for a moment. */
#ifndef CG_APP_CHECK_EVIDENCE_H
#define CG_APP_CHECK_EVIDENCE_H

#include "base/buf.h"
#include "io/interfaces.h"
#include "io/routes.h"

/* A link-local address is on its zone, whatever the routes say. */
struct cg_way cg_evidence_route(const struct cg_addr *to);
/* What source address a datagram to `to` by this interface would have (port 0); NULL: by whatever the routes say.
 * Family NONE: there is none. */
struct cg_addr cg_evidence_source(const struct cg_addr *to, const struct cg_interface *by);
/* Which interface of this host has that address. False: none has. */
bool cg_evidence_owner(const struct cg_addr *addr, char name[IF_NAMESIZE]);

/* Whether a host on a link is there, as far as the kernel has found out (ARP, RFC 4861). */
enum cg_neighbour {
    CG_NEIGHBOUR_UNKNOWN,  /* nobody has asked, or that cannot be read */
    CG_NEIGHBOUR_DOUBTFUL, /* it was; that is being found out anew, which takes some seconds */
    CG_NEIGHBOUR_PRESENT,
    CG_NEIGHBOUR_ABSENT, /* it was asked for, and did not say so */
};
enum cg_neighbour cg_evidence_neighbour(const struct cg_addr *addr, unsigned interface);
/* Has the kernel find out anew about one that it takes to be present, who may have gone since. For root only. */
void cg_evidence_doubt_neighbour(const struct cg_addr *addr, unsigned interface);

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

/* Datagrams that this host has dropped so far, on all interfaces. */
struct cg_drops {
    uint64_t reverse_path; /* their source is routed by another interface (IPv4) */
    uint64_t checksums;    /* UDP's is wrong */
};
void cg_evidence_drops(struct cg_drops *drops);

/* Addresses that no datagram may come from (RFC 1812 §5.3.7): groups, broadcast, loopback from outside, nobody's, or
 * this host's own. `what`, for people, is why. */
bool cg_evidence_is_martian(const struct cg_addr *from, const char **what);

/* Rules that drop or reject what comes in, one a line, as nft or iptables-save say them. False: they cannot be read. */
bool cg_evidence_rules(struct cg_buf *to);

#endif

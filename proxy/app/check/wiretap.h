/* What arrives for two UDP ports, on all interfaces, before any firewall has looked at it. For root only. */
#ifndef CG_APP_CHECK_WIRETAP_H
#define CG_APP_CHECK_WIRETAP_H

#include "wire/addr.h"

#define CG_SIGHTINGS_MAX 64
struct cg_sighting {
    unsigned interface;
    struct cg_addr from;
    unsigned count;
};
struct cg_wiretap {
    int fd; /* -1: not permitted */
    unsigned total;
    unsigned lost; /* not seen, because too many came at once */
    size_t count;  /* of sources listed */
    struct cg_sighting list[CG_SIGHTINGS_MAX];
};
void cg_wiretap_open(struct cg_wiretap *tap, uint16_t port_v4, uint16_t port_v6);
void cg_wiretap_read(struct cg_wiretap *tap); /* what came so far */
void cg_wiretap_close(struct cg_wiretap *tap);

#endif

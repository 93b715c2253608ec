/* Whether somebody is there: CoAP pings (RFC 7252 §4.3) by unicast. */
#ifndef CG_APP_CHECK_PROBE_H
#define CG_APP_CHECK_PROBE_H

#include <stddef.h>

#include "wire/addr.h"

enum cg_probe_result { CG_PROBE_SILENT, CG_PROBE_PONG, CG_PROBE_ICMP, CG_PROBE_NOT_SENT };
/* Of ICMP: who is not reached. */
enum cg_unreachable { CG_UNREACHABLE_SOMEHOW, CG_UNREACHABLE_PORT, CG_UNREACHABLE_PROHIBITED, CG_UNREACHABLE_HOST };
struct cg_probe {
    struct cg_addr to;
    enum cg_probe_result result;
    enum cg_unreachable why;
    char what[160]; /* of ICMP and NOT_SENT, for people */
    unsigned ms;    /* of PONG */
    int fd;         /* internal */
};
/* One ping to each `to`, all at once; waits at most a second. */
void cg_probes_run(struct cg_probe *probes, size_t count);

#endif

/* The datagrams of a round as a file that packet analysers open (classic pcap, LINKTYPE_RAW). IP and UDP headers are
 * made up around what was sent and received, since a socket does not show them; addresses and ports are real. Of a
 * payload that is not shown there is its length: the packet is cut before it, as a short capture would be. What is
 * protected is there as it was, since it can be read with the group's keys alone. */
#ifndef CG_RECORDER_PCAP_H
#define CG_RECORDER_PCAP_H

#include "recorder/tape.h"

/* Where our end is, as that peer sees it. */
typedef struct cg_addr cg_local_fn(void *ctx, const struct cg_addr *peer);

void cg_pcap_put(struct cg_buf *to, const struct cg_tape *tape, enum cg_tape_payloads payloads, cg_local_fn *local,
                 void *ctx);

#endif

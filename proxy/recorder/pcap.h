/* The datagrams of a round as a file that packet analysers open (classic pcap, LINKTYPE_RAW). IP and UDP headers are
 * made up around what was sent and received, since a socket does not show them; addresses and ports are real. */
#ifndef CG_RECORDER_PCAP_H
#define CG_RECORDER_PCAP_H

#include "recorder/tape.h"

/* Where our end is, as that peer sees it. */
typedef struct cg_addr cg_local_fn(void *ctx, const struct cg_addr *peer);

void cg_pcap_put(struct cg_buf *to, const struct cg_tape *tape, cg_local_fn *local, void *ctx);

#endif

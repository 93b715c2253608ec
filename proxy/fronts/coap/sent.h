/* Which Message IDs of Non-confirmable messages went with which token to one client, so that a Reset says what it is
 * about. Responses of one exchange mostly follow each other: a run of Message IDs is one entry. Bounded: of a client
 * with very many exchanges at once, Resets about older messages find nothing. */
#ifndef CG_FRONTS_COAP_SENT_H
#define CG_FRONTS_COAP_SENT_H

#include "base/slice.h"

#define CG_COAP_RUNS_MAX 64 /* remembered for a client */

struct cg_coap_run {
    struct cg_coap_run *next; /* older */
    uint16_t first, count;
    uint8_t token_len;
    uint8_t token[];
};

/* Zero-initialise before first use. */
struct cg_coap_sent {
    struct cg_coap_run *newest;
    unsigned count;
};

void cg_coap_sent_note(struct cg_coap_sent *sent, uint16_t mid, struct cg_slice token); /* no memory: not noted */
/* False: nothing of that Message ID is remembered. The token is borrowed until the next note. */
bool cg_coap_sent_find(const struct cg_coap_sent *sent, uint16_t mid, struct cg_slice *token);
void cg_coap_sent_fini(struct cg_coap_sent *sent);

#endif

/* Confirmable messages of ours to one client: one at a time (NSTART 1, RFC 7252 §4.7), sent again until it is
 * acknowledged or given up (§4.2); others wait, a bounded number. Here is who is next and when; whoever owns this
 * sends.
 */
#ifndef CG_FRONTS_COAP_CONFIRM_H
#define CG_FRONTS_COAP_CONFIRM_H

#include "base/err.h"
#include "base/slice.h"

#define CG_COAP_CONFIRM_MAX 32 /* for one client, the one under way included */

struct cg_coap_confirmable {
    struct cg_coap_confirmable *next;
    uint64_t timeout_us; /* until it is sent again, doubled each time; 0: it waits */
    uint32_t tries;      /* beyond the first */
    uint16_t mid;
    uint8_t token_at, token_len; /* in the bytes */
    uint32_t len;
    uint8_t bytes[]; /* the whole message, Message ID apart */
};

/* Zero-initialise before first use. */
struct cg_coap_confirm {
    struct cg_coap_confirmable *first; /* is under way, or the next to be */
    struct cg_coap_confirmable *last;
    unsigned count;
};

/* Behind the others. CG_E_OVERLOAD, CG_E_NO_MEMORY. `token` is within `message`. */
int cg_coap_confirm_put(struct cg_coap_confirm *confirm, struct cg_slice message, struct cg_slice token) CG_MUST_CHECK;
/* The first goes under that Message ID. `random` (any 32 bits) spreads its time. When it is due again. */
uint64_t cg_coap_confirm_launch(struct cg_coap_confirm *confirm, uint16_t mid, uint32_t random, uint64_t now_us);
/* Its time is over. False: for the last time, it is to be given up; else it goes again, and is due at *again_us. */
bool cg_coap_confirm_again(struct cg_coap_confirm *confirm, uint64_t now_us, uint64_t *again_us);
/* Whether that Message ID is under way. */
bool cg_coap_confirm_is(const struct cg_coap_confirm *confirm, uint16_t mid);
/* Takes the first out: whoever takes it frees it. */
struct cg_coap_confirmable *cg_coap_confirm_pop(struct cg_coap_confirm *confirm);
/* Those that wait with that token are not wanted any more. */
void cg_coap_confirm_drop(struct cg_coap_confirm *confirm, struct cg_slice token);
void cg_coap_confirm_fini(struct cg_coap_confirm *confirm);

static inline struct cg_slice cg_coap_confirmable_token(const struct cg_coap_confirmable *message) {
    return cg_slice_of(message->bytes + message->token_at, message->token_len);
}
static inline struct cg_slice cg_coap_confirmable_bytes(const struct cg_coap_confirmable *message) {
    return cg_slice_of(message->bytes, message->len);
}

#endif

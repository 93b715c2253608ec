/* What ties responses to their request (RFC 8613 §7.1; RFC 10021 §7.1, §7.2, §3.4), and what a client remembers of the
 * responses it accepted in one exchange (RFC 10021 §5.3.1). Both are plain data: copy, store, drop. */
#ifndef CG_OSCORE_BINDING_H
#define CG_OSCORE_BINDING_H

#include "base/err.h"
#include "oscore/context.h"
#include "wire/msg.h"

struct cg_oscore_binding {
    uint64_t serial;   /* of the context that sealed or opened the request; 0: none did */
    bool group_mode;   /* how the request was protected */
    bool observe;      /* it registers an observation, so responses may be notifications */
    bool needs_number; /* server: the request's nonce is spent or in doubt, a response must bring a Partial IV */
    bool has_server;   /* client: the one member that the request is for (pairwise mode, OSCORE) */
    uint8_t kid_len, piv_len, kid_context_len, server_id_len;
    uint8_t piv[CG_OSCORE_PIV_MAX];
    uint8_t kid[CG_OSCORE_ID_MAX];
    uint8_t server_id[CG_OSCORE_ID_MAX];
    uint8_t server[32]; /* fingerprint of its credential */
    uint8_t kid_context[CG_OSCORE_ID_CONTEXT_MAX];
};

static inline struct cg_slice cg_oscore_binding_kid(const struct cg_oscore_binding *b) {
    return cg_slice_of(b->kid, b->kid_len);
}
static inline struct cg_slice cg_oscore_binding_piv(const struct cg_oscore_binding *b) {
    return cg_slice_of(b->piv, b->piv_len);
}
static inline struct cg_slice cg_oscore_binding_kid_context(const struct cg_oscore_binding *b) {
    return cg_slice_of(b->kid_context, b->kid_context_len);
}

/* The binding that a request's OSCORE option shows, for a signature checker that sees only the responses' signatures
 * because the request is in pairwise mode (RFC 10021 §7.5). Nothing is verified. CG_E_BAD_OPTION. */
int cg_oscore_binding_parse(struct cg_oscore_binding *binding, const struct cg_msg *request) CG_MUST_CHECK;
/* Says who has to answer, where other means than the kid tell. */
void cg_oscore_binding_expect(struct cg_oscore_binding *binding, const struct cg_oscore_peer *server);

/* One member's responses within one exchange. All zero: none yet. Give each member (credential) of each exchange its
 * own. */
struct cg_oscore_answers {
    struct {
        uint64_t generation;            /* of the key material; 0: slot is free */
        struct cg_oscore_window window; /* its `highest` is the Response Number */
    } epoch[2];                         /* a rekey in the middle: the numbers of the old and of the new context */
    bool bare;                          /* the one response without Partial IV was accepted */
    bool known;                         /* kid is set */
    uint8_t kid_len;
    uint8_t kid[CG_OSCORE_ID_MAX]; /* of the first response; it may not change (RFC 10021 §7.4) */
};

/* For open.c; a caller asks cg_oscore_open_is_repeat. `number` NULL: a response without Partial IV. */
bool cg_oscore_answers_accept(const struct cg_oscore_answers *answers, uint64_t generation, const uint64_t *number,
                              struct cg_slice kid);
/* Marks an accepted response; true when none that was accepted before is later than it. */
bool cg_oscore_answers_mark(struct cg_oscore_answers *answers, uint64_t generation, const uint64_t *number,
                            struct cg_slice kid);

#endif

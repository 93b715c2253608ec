/* Signalling messages of CoAP over a reliable transport (RFC 8323 §5): what two ends of a connection say about the
 * connection itself. */
#ifndef CG_WIRE_SIGNAL_H
#define CG_WIRE_SIGNAL_H

#include "wire/frame.h"

enum {
    CG_SIGNAL_CSM = CG_CODE(7, 1), /* capabilities and settings: each end's first message */
    CG_SIGNAL_PING = CG_CODE(7, 2),
    CG_SIGNAL_PONG = CG_CODE(7, 3),
    CG_SIGNAL_RELEASE = CG_CODE(7, 4),
    CG_SIGNAL_ABORT = CG_CODE(7, 5),
};

#define CG_SIGNAL_MAX 256 /* bytes that one of ours takes, a Pong's token of CG_EXTENDED_TOKEN_MAX included */

static inline bool cg_code_is_signal(uint8_t code) { return code >> 5 == 7; }

/* What one end says that it can do. */
struct cg_capabilities {
    uint32_t max_message_size; /* bytes of a whole frame that it takes (§5.3.1) */
    bool has_blocks;           /* Block-Wise-Transfer (§5.3.2) */
    uint32_t token_max;        /* bytes of a token in a request to it (RFC 8974 §2.2.1) */
};
#define CG_CAPABILITIES_MESSAGE_MAX 1152
extern const struct cg_capabilities cg_capabilities_base; /* of who has said nothing */

/* The first critical option that is not understood, 0: none. All that are defined so far are elective (§5.2). */
uint16_t cg_signal_bad_option(const struct cg_frame *signal);
/* A CSM's options into what was known before; those that are malformed are passed over, as elective ones are. */
void cg_signal_read_csm(const struct cg_frame *csm, struct cg_capabilities *capabilities);
/* Whether a Ping asks for the word that all messages before it were processed (§5.4.1). */
bool cg_signal_wants_custody(const struct cg_frame *ping);
/* Seconds for which who releases a connection wants no other one (§5.5); 0: it does not say. */
uint32_t cg_signal_hold_off(const struct cg_frame *release);

/* Each returns its length; `bytes` has room for CG_SIGNAL_MAX. */
size_t cg_signal_emit_csm(const struct cg_capabilities *ours, uint8_t *bytes);
/* One that asks for custody. */
size_t cg_signal_emit_ping(uint8_t *bytes);
size_t cg_signal_emit_pong(struct cg_slice token, bool has_custody, uint8_t *bytes);
size_t cg_signal_emit_release(const char *diagnostic, uint8_t *bytes);
/* `csm_option`: the one that was bad in a CSM (§5.6.1); 0: none. */
size_t cg_signal_emit_abort(const char *diagnostic, uint16_t csm_option, uint8_t *bytes);

#endif

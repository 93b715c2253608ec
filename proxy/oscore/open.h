/* Verifying and opening messages (RFC 8613 §8.2, §8.4; RFC 10021 §6, §7.2, §7.4, §7.5, §8.4, §8.6).
 *
 * Three steps, so that a signature can be verified on another thread: prepare on the context's thread, which finds the
 * sender and decrypts the signature; cg_oscore_verify_run anywhere; finish on the context's thread, which checks for
 * replays, decrypts and puts the message together. The signature is verified before anything is decrypted. Nothing
 * changes in a context before a message is verified.
 *
 * Errors of prepare and finish, with what a server may answer to a unicast request (RFC 8613 §8.2; better never to a
 * group request, RFC 10021 §7):
 *
 * - CG_E_BAD_REQUEST: no OSCORE option, or a response where a request was expected
 * - CG_E_BAD_OPTION: 4.02 "Failed to decode COSE": malformed, or a mode that this context does not have
 * - CG_E_UNAUTHORIZED: 4.01 "Security context not found": another group, an unknown or suspended kid
 * - CG_E_REPLAY: 4.01 "Replay detected"; see also `challenge`
 * - CG_E_VERIFY: 4.00 "Decryption failed": forged, altered, or not for us
 * - CG_E_OUTER_BLOCKS: 4.13, a fragment: MAX_UNFRAGMENTED_SIZE (RFC 8613 §4.1.3.4.2) is one datagram
 * - CG_E_FORMAT: verified, but what is inside is not a CoAP message of the right kind
 * - CG_E_TOO_BIG, CG_E_NO_MEMORY, CG_E_KEY, CG_E_INTERNAL: ours */
#ifndef CG_OSCORE_OPEN_H
#define CG_OSCORE_OPEN_H

#include "oscore/binding.h"
#include "oscore/key.h"

/* The pure part. Owns its message and a reference to the key. */
struct cg_oscore_verify_job {
    struct cg_public_key key;
    uint8_t *message; /* the Countersign_structure */
    size_t len;
    uint8_t signature[CG_COSE_SIGNATURE_LEN];
    int result; /* CG_PENDING until it ran; then CG_OK or CG_E_VERIFY */
};

/* One message on its way; the caller's storage. After CG_OK or CG_PENDING from prepare, finish or cancel it. */
struct cg_oscore_opening {
    struct cg_oscore_verify_job job;
    struct cg_oscore_context *context;
    struct cg_oscore_peer *peer; /* the alleged sender; a reference is held until finish or cancel */
    bool group_mode, is_request, has_number;
    uint64_t number; /* the Partial IV */
    uint8_t nonce[CG_COSE_NONCE_MAX];
    struct cg_msg outer;          /* views: into the job's block in group mode, else into the caller's message */
    struct cg_slice array;        /* group mode: the aad_array */
    struct cg_slice option_value; /* else: the OSCORE option */
    struct cg_oscore_binding binding;
};

struct cg_oscore_opened {
    struct cg_oscore_peer *peer; /* who sent it, verified; valid until it is removed */
    bool group_mode;
    bool has_number;
    uint64_t number; /* its Partial IV: orders one sender's messages under one context */
    bool latest;     /* responses: later than all that were accepted before in this exchange */
    bool echoed;     /* requests: it carried the Echo value of our challenge, so it is fresh */
    bool challenge;  /* with CG_E_REPLAY: verified, but the replay window is lost. Answer with a challenge (echo.h) */
    struct cg_oscore_binding binding; /* requests: for the responses; also with `challenge` */
};

/* CG_PENDING: run the job, then finish; `sealed` may go. CG_OK (pairwise mode, OSCORE): finish at once, `sealed` is
 * still read then. */
int cg_oscore_open_request_prepare(struct cg_oscore_opening *op, struct cg_oscore_context *context,
                                   const struct cg_msg *sealed) CG_MUST_CHECK;
/* `binding`: of the request, under this or another epoch's context of the group. A response without 'kid context' may
 * be under the latest context or under the request's: try the latest first (RFC 10021 §13.5.1). */
int cg_oscore_open_response_prepare(struct cg_oscore_opening *op, struct cg_oscore_context *context,
                                    const struct cg_msg *sealed, const struct cg_oscore_binding *binding) CG_MUST_CHECK;

/* A response that finish would refuse as a repetition: worth asking before a signature is verified for it. */
bool cg_oscore_open_is_repeat(const struct cg_oscore_opening *op, const struct cg_oscore_answers *answers);

void cg_oscore_verify_run(struct cg_oscore_verify_job *job); /* any thread */

/* Ends the opening, whatever it returns.
 *
 * - `data`: the storage of *plain; CG_OSCORE_OPEN_ROOM of the sealed message's length always suffices.
 * - `answers`: of this member in this exchange. NULL for requests, and where the first response ends the exchange.
 * - *opened: set on CG_OK, and with CG_E_REPLAY where `challenge` is true. */
int cg_oscore_open_finish(struct cg_oscore_opening *op, struct cg_oscore_answers *answers, uint8_t *data, size_t cap,
                          struct cg_msg *plain, struct cg_oscore_opened *opened) CG_MUST_CHECK;
#define CG_OSCORE_OPEN_ROOM(sealed_len) (2 * (sealed_len) + 16)
/* The same for a signature checker's context: countersignature and replay only. */
int cg_oscore_check_finish(struct cg_oscore_opening *op, struct cg_oscore_answers *answers,
                           struct cg_oscore_opened *opened) CG_MUST_CHECK;
/* Who signed, and nothing else: for a checker that knows itself what it has let pass. The peer's window stays as it is.
 */
int cg_oscore_check_signer(struct cg_oscore_opening *op, struct cg_oscore_opened *opened) CG_MUST_CHECK;
void cg_oscore_open_cancel(struct cg_oscore_opening *op); /* not while its job runs */

/* All steps. For a checker's context data and plain are NULL. */
int cg_oscore_open_request(struct cg_oscore_context *context, const struct cg_msg *sealed, uint8_t *data, size_t cap,
                           struct cg_msg *plain, struct cg_oscore_opened *opened) CG_MUST_CHECK;
int cg_oscore_open_response(struct cg_oscore_context *context, const struct cg_msg *sealed,
                            const struct cg_oscore_binding *binding, struct cg_oscore_answers *answers, uint8_t *data,
                            size_t cap, struct cg_msg *plain, struct cg_oscore_opened *opened) CG_MUST_CHECK;

#endif

/* Protecting messages (RFC 8613 §8.1, §8.3; RFC 10021 §7.1, §7.3, §8.3, §8.5).
 *
 * Three steps, so that a signature can be made on another thread: prepare on the context's thread; cg_oscore_sign_run
 * anywhere; finish on the context's thread. Where nothing is to be signed prepare returns CG_OK and finish may follow
 * at once. cg_oscore_seal_request and cg_oscore_seal_response do all of it.
 *
 * The result is a UDP datagram with the plain message's type, MID and token. For other framings take what follows the
 * token. */
#ifndef CG_OSCORE_SEAL_H
#define CG_OSCORE_SEAL_H

#include "oscore/binding.h"
#include "oscore/key.h"

/* The pure part. Owns the message; borrows the key from the context, which the sealing keeps alive. */
struct cg_oscore_sign_job {
    const struct cg_private_key *key;
    uint8_t *message; /* the Countersign_structure */
    size_t len;
    uint8_t signature[CG_COSE_SIGNATURE_LEN];
    int result; /* CG_PENDING until it ran */
};

/* One message on its way; the caller's storage. After CG_OK or CG_PENDING from prepare, finish or cancel it. */
struct cg_oscore_sealing {
    struct cg_oscore_sign_job job;
    struct cg_oscore_context *context;
    uint8_t *signature_at; /* in the caller's datagram; NULL: pairwise mode or OSCORE */
    uint8_t keystream[CG_COSE_SIGNATURE_LEN];
    size_t len; /* of the datagram */
};

/* How long the datagram would be that the same request makes with that number, signature included; nothing is spent or
 * encrypted. `scratch` gets the plaintext. Errors as below. */
int cg_oscore_measure_request(struct cg_oscore_context *context, struct cg_oscore_peer *to, uint64_t number,
                              const struct cg_msg *plain, uint8_t *scratch, size_t cap) CG_MUST_CHECK;

/* - `to`: the member that the request is for (pairwise mode, OSCORE), or NULL for group mode.
 * - `number`: a Sender Sequence Number never used with this Sender Key in any process. It is spent by CG_OK and
 *   CG_PENDING. Numbers may come out of order, but not 64 or more behind the highest one.
 * - `plain`: a request without OSCORE option; borrowed for the call. `data`: gets the datagram, must stay until finish.
 * - *binding: set, for the responses.
 *
 * CG_E_PROTECT: no Sender Context or no such mode; a retired context; a number above 2^40 - 1 or used before with this
 * context; an OSCORE option; an Echo option in group mode where pairwise mode is possible (RFC 10021 §9).
 * CG_E_BAD_REQUEST: not a request. CG_E_TOO_BIG: `cap`. CG_E_BAD_URI: Proxy-Uri. CG_E_KEY. CG_E_NO_MEMORY and
 * CG_E_INTERNAL: the number counts as spent all the same. */
int cg_oscore_seal_request_prepare(struct cg_oscore_sealing *op, struct cg_oscore_context *context,
                                   struct cg_oscore_peer *to, uint64_t number, const struct cg_msg *plain,
                                   uint8_t *data, size_t cap, struct cg_oscore_binding *binding) CG_MUST_CHECK;

struct cg_oscore_reply {
    struct cg_oscore_peer *to; /* the requester: pairwise mode, OSCORE; NULL: group mode */
    bool has_number;           /* else the request's nonce is used, which is possible once, for the first response */
    uint64_t number;           /* as above; one counter serves both modes, requests and responses */
    bool with_kid;         /* also where the standard leaves it out, as after a change of Sender ID (RFC 10021 §7.3) */
    bool with_kid_context; /* also where the request had the same Gid, to help clients synchronise */
};

/* `binding` is the one of the opened request, under this or an older context of the group, and remembers that it was
 * answered. CG_E_PROTECT as above, and: no number though the standard wants one (not the first response, another
 * context than the request's, an Echo challenge). CG_E_BAD_REQUEST: not a response. */
int cg_oscore_seal_response_prepare(struct cg_oscore_sealing *op, struct cg_oscore_context *context,
                                    const struct cg_oscore_reply *reply, const struct cg_msg *plain, uint8_t *data,
                                    size_t cap, struct cg_oscore_binding *binding) CG_MUST_CHECK;

void cg_oscore_sign_run(struct cg_oscore_sign_job *job); /* any thread */
/* The datagram's length, or CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_oscore_seal_finish(struct cg_oscore_sealing *op) CG_MUST_CHECK;
void cg_oscore_seal_cancel(struct cg_oscore_sealing *op); /* not while its job runs */

/* All steps; the datagram's length. */
int cg_oscore_seal_request(struct cg_oscore_context *context, struct cg_oscore_peer *to, uint64_t number,
                           const struct cg_msg *plain, uint8_t *data, size_t cap,
                           struct cg_oscore_binding *binding) CG_MUST_CHECK;
int cg_oscore_seal_response(struct cg_oscore_context *context, const struct cg_oscore_reply *reply,
                            const struct cg_msg *plain, uint8_t *data, size_t cap,
                            struct cg_oscore_binding *binding) CG_MUST_CHECK;

#endif

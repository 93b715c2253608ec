/* A client's way to us: one remote endpoint at one of our listeners, by UDP, in a DTLS session, or on a connection by
 * TCP or TLS. The front speaks to peers and hears of them through a table of operations; how bytes travel, what is
 * acknowledged, sent again, and what is a duplicate is behind this, so that a further transport is a file more and no
 * line of the front.
 *
 * Ownership: peers belong to their transport. One lives until nothing has come from it for a while and nobody holds it,
 * or until its session ends: then `gone` is the last that is heard of it. Calls come from the loop alone. */
#ifndef CG_FRONTS_COAP_PEER_H
#define CG_FRONTS_COAP_PEER_H

#include "model/request.h"
#include "wire/cri.h"
#include "wire/msg.h"

/* How long an address stays proven, however much comes from there. */
#define CG_COAP_PROOF_US (600 * UINT64_C(1000000))

#define CG_COAP_MESSAGE_MAX 1152 /* bytes of a message that passes everywhere (RFC 7252 §4.6) */

#define CG_COAP_TOKEN_MAX 64 /* bytes (RFC 8974); longer ones are refused with 4.00 */

/* A message without what its transport numbers it by. The slices are borrowed for the call. */
struct cg_coap_message {
    uint8_t code;
    struct cg_slice token;
    struct cg_slice options; /* encoded, well-formed */
    struct cg_slice payload;
};

enum cg_coap_reached {
    CG_COAP_BY_UNICAST,
    CG_COAP_BY_MULTICAST /* the request was sent to a group: never forwarded */
};

/* One that is no duplicate; those are dealt with before. */
struct cg_coap_request {
    struct cg_coap_message message;
    enum cg_type type; /* CON or NON: what is said of it later goes in kind (RFC 7252 §5.2.2, §5.2.3) */
    size_t size;       /* bytes that came, for what may be sent to an address that nobody has proven */
    enum cg_coap_reached reached;
};

enum cg_coap_proof {
    CG_COAP_UNPROVEN, /* anybody could have written that address into a datagram */
    CG_COAP_PROVEN,   /* loopback, that came in by loopback; or a DTLS session */
};

struct cg_coap_peer;

/* What the front hears. */
struct cg_coap_peer_ops {
    /* It is answered with cg_coap_peer_answer before this returns, or is acknowledged then. */
    void (*request)(void *ctx, struct cg_coap_peer *peer, const struct cg_coap_request *request);
    /* It rejected (RST), or never acknowledged, a message with this token: it has lost interest in that exchange. */
    void (*lost)(void *ctx, struct cg_coap_peer *peer, struct cg_slice token);
    /* It acknowledged a Confirmable message with this token. */
    void (*acknowledged)(void *ctx, struct cg_coap_peer *peer, struct cg_slice token);
    /* It will be freed: nothing of it may be used after this. */
    void (*gone)(void *ctx, struct cg_coap_peer *peer);
};

/* In `request` only, at most once: in the acknowledgement of a Confirmable request, else as a Non-confirmable response.
 * Duplicates of the request get the same bytes again. */
void cg_coap_peer_answer(struct cg_coap_peer *peer, const struct cg_coap_message *response);
/* In `request` only, instead of cg_coap_peer_answer: one response is to come soon, and no other. The acknowledgement of
 * a Confirmable request waits for it a little, and cg_coap_peer_send as CG_CON puts it in there: nothing is
 * acknowledged then, and `acknowledged` is not heard of it. Whatever else comes from the client first, or the time,
 * sends the acknowledgement ahead. */
void cg_coap_peer_expect(struct cg_coap_peer *peer);
/* In `request` instead of cg_coap_peer_answer, or after cg_coap_peer_expect instead of the response while that is
 * waited for: as if the request had not come. Nothing is said of it, and where it comes again it is a request again. */
void cg_coap_peer_ignore(struct cg_coap_peer *peer);
/* A separate response (CG_NON), or one that is to be acknowledged (CG_CON; one at a time: others wait, a bounded
 * number). CG_E_OVERLOAD, CG_E_NO_MEMORY, CG_E_TOO_BIG (for the path's MTU or the DTLS record): it did not go. */
int cg_coap_peer_send(struct cg_coap_peer *peer, const struct cg_coap_message *response,
                      enum cg_type type) CG_MUST_CHECK;
/* Kept from being forgotten while an exchange runs for it; each hold is given back once, unless it is gone. */
void cg_coap_peer_hold(struct cg_coap_peer *peer);
void cg_coap_peer_release(struct cg_coap_peer *peer);
/* The same for an exchange that runs on that token, one at a time: responses may be sent on it until the release. */
void cg_coap_peer_hold_for(struct cg_coap_peer *peer, struct cg_slice token);
void cg_coap_peer_release_for(struct cg_coap_peer *peer, struct cg_slice token);

const struct cg_addr *cg_coap_peer_addr(const struct cg_coap_peer *peer);
const struct cg_addr *cg_coap_peer_local(const struct cg_coap_peer *peer); /* ours, that it reached; port included */
const struct cg_listen *cg_coap_peer_listen(const struct cg_coap_peer *peer);
enum cg_coap_proof cg_coap_peer_proof(const struct cg_coap_peer *peer);
/* It has shown that its address is its own (RFC 9175 §2.4): proven from now on, for CG_COAP_PROOF_US at the most and
 * no longer than it is remembered. Somebody else may have the address later (§2.3). Of those
 * that have not, nothing is remembered beyond `request` unless they are held: not their requests either, so that a
 * duplicate comes as a request again. */
void cg_coap_peer_prove(struct cg_coap_peer *peer);
/* Bytes of the largest message that is worth sending to it, header and token included as cg_to_coap_size counts them:
 * CG_COAP_MESSAGE_MAX at the most where messages are datagrams, else as large as it has said (RFC 8323 §5.3.1). */
size_t cg_coap_peer_room(const struct cg_coap_peer *peer);
/* Whom its session has authenticated, in these settings: fills in the request's `client` and `proof`, which stay as
 * they are where it has shown nothing (over UDP, too). CG_E_UNAUTHORIZED with *problem: what it has shown is no
 * client's, or not any more. */
int cg_coap_peer_identify(const struct cg_coap_peer *peer, const struct cg_config *config, struct cg_request *request,
                          struct cg_problem *problem) CG_MUST_CHECK;
enum cg_cri_scheme cg_coap_peer_scheme(const struct cg_coap_peer *peer); /* of its transport */
static inline bool cg_coap_peer_is_stream(const struct cg_coap_peer *peer) {
    const enum cg_cri_scheme scheme = cg_coap_peer_scheme(peer);
    return scheme == CG_CRI_COAP_TCP || scheme == CG_CRI_COAPS_TCP;
}
/* Where the front keeps what belongs to this peer (its live tokens); NULL at first. */
void **cg_coap_peer_place(struct cg_coap_peer *peer);

#endif

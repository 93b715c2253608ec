/* The protector of "security": "relay": the client itself is the member, its protected messages pass untouched (R3,
 * R18). With a checker file the request's countersignature is checked before anything is sent (RFC 10021 §7.5):
 * strangers and replays are refused. */
#ifndef CG_RELAY_H
#define CG_RELAY_H

#include "core/crypto.h"
#include "core/gateway.h"
#include "oscore/context.h"

struct cg_relay;

struct cg_relay_services {
    struct cg_gateway *gateway; /* set before the first request */
    struct cg_crypto *crypto;
};

/* Checks nothing at first. NULL: out of memory. */
struct cg_relay *cg_relay_new(const struct cg_relay_services *services);
/* Takes over the reference to a signature checker's context, which counts from now on, also for requests that are being
 * checked. */
void cg_relay_set_checker(struct cg_relay *relay, struct cg_oscore_context *checker);
/* For a peer of a checker that is to replace the present one: with the same Gid, Signature Encryption Key, kid and
 * credential its replay window goes on, so that nothing is relayed twice because a file changed. */
void cg_relay_inherit_window(const struct cg_relay *relay, const struct cg_oscore_context *checker,
                             struct cg_oscore_peer *peer);
void cg_relay_free(struct cg_relay *relay); /* when every cast of it has ended */
struct cg_protector *cg_relay_protector(struct cg_relay *relay);

#endif

/* The protector of "security": "relay": the client itself is the member, its protected messages pass untouched (R3,
 * R18). With a checker file the request's countersignature is checked before anything is sent (RFC 10021 §7.5):
 * strangers and replays are refused, but not what a client repeats itself (§7): the same bytes, within
 * EXCHANGE_LIFETIME of the first time. */
#ifndef CG_RELAY_H
#define CG_RELAY_H

#include "legs/crypto.h"
#include "legs/protector.h"
#include "oscore/context.h"
#include "relay/windows.h"

struct cg_relay;

struct cg_relay_services {
    struct cg_engine *engine; /* set before the first request */
    struct cg_crypto *crypto;
    struct cg_windows *windows; /* of what all relays have sent */
};

/* Checks nothing at first. NULL: out of memory. */
struct cg_relay *cg_relay_new(const struct cg_relay_services *services);
/* Takes over the reference to a signature checker's context, which counts from now on, also for requests that are being
 * checked. */
void cg_relay_set_checker(struct cg_relay *relay, struct cg_oscore_context *checker);
void cg_relay_free(struct cg_relay *relay); /* when every cast of it has ended */
struct cg_protector *cg_relay_protector(struct cg_relay *relay);

#endif

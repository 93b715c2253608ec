/* The OSCORE contexts that clients share with the gateway (RFC 8613 §3), while they are in use: replay windows, and
 * where the numbers of responses come from. A context is made when its client's first request comes, and its window is
 * lost then: what came before a start nobody knows, so that Echo comes first (Appendix B.1.2). */
#ifndef CG_FRONTS_COAP_OSCORE_CLIENTS_H
#define CG_FRONTS_COAP_OSCORE_CLIENTS_H

#include "legs/sender.h"
#include "model/allowance.h"
#include "oscore/oscore.h"

/* Whom challenges went to since the last one that was met: what is met proves an address only where there was one. */
enum cg_oscore_asked { CG_OSCORE_ASKED_NOBODY, CG_OSCORE_ASKED_ONE, CG_OSCORE_ASKED_SEVERAL };

struct cg_oscore_client {
    uint8_t digest[32]; /* of its keys: struct cg_client_oscore */
    struct cg_oscore_context *context;
    struct cg_oscore_peer *peer; /* in it: the client */
    struct cg_sender *sender;
    struct cg_allowance challenges; /* to what came before, or has been challenged */
    uint64_t challenged;            /* the highest number of a request that was, plus 1 */
    enum cg_oscore_asked asked;
    struct cg_addr asked_at;
    unsigned refs; /* the table's among them */
    UT_hash_handle hh;
};

struct cg_oscore_clients {
    struct cg_senders *senders; /* borrowed */
    struct cg_oscore_client *table;
};

/* Borrowed from the table, for as long as no tidying comes: with a reference it is the caller's. NULL: no memory. */
struct cg_oscore_client *cg_oscore_clients_get(struct cg_oscore_clients *clients, const struct cg_client_oscore *keys);
struct cg_oscore_client *cg_oscore_client_ref(struct cg_oscore_client *client);
void cg_oscore_client_unref(struct cg_oscore_client *client);
/* Those that the settings do not have any more leave the table. */
void cg_oscore_clients_tidy(struct cg_oscore_clients *clients, const struct cg_config *config);
void cg_oscore_clients_fini(struct cg_oscore_clients *clients);

/* The client of the settings whose context it is; NULL: nobody's any more. */
const struct cg_client *cg_oscore_client_in(const struct cg_oscore_client *client, const struct cg_config *config);
/* A challenge goes to that address. */
void cg_oscore_client_asked(struct cg_oscore_client *client, const struct cg_addr *at);
/* A challenge was met from there: whether that proves the address. */
bool cg_oscore_client_met(struct cg_oscore_client *client, const struct cg_addr *at);

#endif

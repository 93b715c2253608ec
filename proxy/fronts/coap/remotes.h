/* Remotes: peers that speak by datagrams, and the table of those without sessions: clients' addresses, of each for as
 * long as something is remembered of it: while it is held or something of it is under way; else, where its address is
 * proven, EXCHANGE_LIFETIME beyond its last use; else not at all, so that invented addresses cost nothing. When there
 * are too many, the host that has most loses the one that has rested for longest. The message layer's own. */
#ifndef CG_FRONTS_COAP_REMOTES_H
#define CG_FRONTS_COAP_REMOTES_H

#include "base/heap.h"
#include "fronts/coap/confirm.h"
#include "fronts/coap/mids.h"
#include "fronts/coap/sent.h"
#include "fronts/coap/shares.h"
#include "fronts/coap/soon.h"
#include "fronts/coap/layer.h"

struct cg_coap_remote {
    struct cg_coap_peer peer; /* the first part of its path is the key */
    struct cg_coap_messages *messages;
    uint64_t number; /* that no other has */
    struct cg_coap_mids mids;
    struct cg_coap_sent sent;
    struct cg_coap_confirm confirm;
    struct cg_deadline due; /* of the Confirmable message under way */
    struct cg_coap_soon soon;
    uint64_t proven_until_us; /* its address; 0: for as long as it is remembered */
    uint64_t rests_until_us;
    struct cg_coap_share share;         /* while it rests */
    struct cg_coap_remote *prev, *next; /* of those that rest, longest first */
    UT_hash_handle hh;                  /* not of sessions */
};

struct cg_coap_remotes {
    struct cg_coap_remote *by_path; /* uthash head */
    struct cg_coap_remote *resting; /* utlist head */
    struct cg_coap_shares shares;   /* of those that rest */
    size_t max;
    uint64_t numbered;
};

/* All that tells one client from another; no padding in it. */
#define CG_COAP_PATH_KEY offsetof(struct cg_coap_path, proof)

void cg_coap_remotes_init(struct cg_coap_remotes *remotes, size_t max);

struct cg_coap_remote *cg_coap_remotes_find(const struct cg_coap_remotes *remotes, const struct cg_coap_path *path);
/* In the table, unless it has a session. NULL: no memory. */
struct cg_coap_remote *cg_coap_remotes_add(struct cg_coap_remotes *remotes, const struct cg_coap_path *path);
/* Whose turn it is to go so that there is room for another; NULL: there is room, or nobody can go. */
struct cg_coap_remote *cg_coap_remotes_first_to_go(const struct cg_coap_remotes *remotes);
bool cg_coap_remotes_are_full(const struct cg_coap_remotes *remotes);

/* From its last use, which is now. False: no memory for it. */
bool cg_coap_remote_rest(struct cg_coap_remotes *remotes, struct cg_coap_remote *remote, uint64_t now_us);
void cg_coap_remote_rouse(struct cg_coap_remotes *remotes, struct cg_coap_remote *remote); /* it rests no longer */
void cg_coap_remote_free(struct cg_coap_remotes *remotes, struct cg_coap_remote *remote);

#endif

/* One table for all peers, since most of them have one token, and a list for each, for the day when it goes. The hard
 * thing: the table's key is a struct, so that what is behind a short token must be zero and stay so. */
#include "fronts/coap/live.h"

#include <utlist.h>

#include "base/check.h"

static bool make_key(struct cg_live_key *key, const struct cg_coap_peer *peer, struct cg_slice token) {
    memset(key, 0, sizeof *key); /* with what is between its members */
    key->peer = peer;
    return cg_coap_token_set(&key->token, token);
}

struct cg_live *cg_live_find(const struct cg_lives *lives, const struct cg_coap_peer *peer, struct cg_slice token) {
    struct cg_live_key key;
    struct cg_live *live;
    if (!make_key(&key, peer, token)) return NULL;
    HASH_FIND(hh, lives->table, &key, sizeof key, live);
    return live;
}

bool cg_live_add(struct cg_lives *lives, struct cg_live **of_peer, struct cg_live *live,
                 const struct cg_coap_peer *peer, struct cg_slice token) {
    CG_CHECK(make_key(&live->key, peer, token));
    HASH_ADD(hh, lives->table, key, sizeof live->key, live);
    if (!CG_HASH_HAS(hh, live)) return false;
    DL_APPEND2(*of_peer, live, previous, next);
    return true;
}

void cg_live_remove(struct cg_lives *lives, struct cg_live **of_peer, struct cg_live *live) {
    HASH_DELETE(hh, lives->table, live);
    DL_DELETE2(*of_peer, live, previous, next);
}

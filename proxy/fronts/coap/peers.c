/* Peers as a table. The hard thing is who may be forgotten: only those that rest, which is why they, and they alone,
 * stand in the lists that forgetting goes by. */
#include "fronts/coap/peers.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/container.h"
#include "wire/transmission.h"

_Static_assert(CG_COAP_PATH_KEY == 2 * sizeof(void *) + 2 * sizeof(struct cg_addr), "a path's key has no padding");

void cg_coap_peers_init(struct cg_coap_peers *peers, size_t max) {
    *peers = (struct cg_coap_peers){.max = max};
    cg_coap_shares_init(&peers->shares);
}

struct cg_coap_peer *cg_coap_peers_find(const struct cg_coap_peers *peers, const struct cg_coap_path *path) {
    struct cg_coap_peer *peer;
    HASH_FIND(hh, peers->by_path, path, CG_COAP_PATH_KEY, peer);
    return peer;
}

struct cg_coap_peer *cg_coap_peers_add(struct cg_coap_peers *peers, const struct cg_coap_path *path) {
    struct cg_coap_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) return NULL;
    peer->path = *path;
    peer->number = ++peers->numbered;
    if (path->session != NULL) return peer;
    HASH_ADD(hh, peers->by_path, path, CG_COAP_PATH_KEY, peer);
    if (CG_HASH_HAS(hh, peer)) return peer;
    free(peer);
    return NULL;
}

bool cg_coap_peers_are_full(const struct cg_coap_peers *peers) { return HASH_COUNT(peers->by_path) >= peers->max; }

struct cg_coap_peer *cg_coap_peers_first_to_go(const struct cg_coap_peers *peers) {
    struct cg_coap_share *goes = cg_coap_peers_are_full(peers) ? cg_coap_shares_first_to_go(&peers->shares) : NULL;
    return goes == NULL ? NULL : CG_CONTAINER(goes, struct cg_coap_peer, share);
}

bool cg_coap_peer_rest(struct cg_coap_peers *peers, struct cg_coap_peer *peer, uint64_t now_us) {
    cg_coap_peer_rouse(peers, peer);
    if (!cg_coap_share_put(&peers->shares, &peer->share, &peer->path.from, 1)) return false;
    peer->rests_until_us = now_us + CG_EXCHANGE_LIFETIME_US;
    DL_APPEND(peers->resting, peer);
    return true;
}

void cg_coap_peer_rouse(struct cg_coap_peers *peers, struct cg_coap_peer *peer) {
    if (peer->share.holder == NULL) return;
    cg_coap_share_take(&peers->shares, &peer->share);
    DL_DELETE(peers->resting, peer);
}

void cg_coap_peer_free(struct cg_coap_peers *peers, struct cg_coap_peer *peer) {
    cg_coap_peer_rouse(peers, peer);
    if (CG_HASH_HAS(hh, peer)) HASH_DEL(peers->by_path, peer);
    cg_coap_sent_fini(&peer->sent);
    cg_coap_confirm_fini(&peer->confirm);
    free(peer);
}

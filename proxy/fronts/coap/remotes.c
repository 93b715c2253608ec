/* Remotes as a table. The hard thing is who may be forgotten: only those that rest, which is why they, and they alone,
 * stand in the lists that forgetting goes by. */
#include "fronts/coap/remotes.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/container.h"
#include "wire/transmission.h"

_Static_assert(CG_COAP_PATH_KEY == 2 * sizeof(void *) + 2 * sizeof(struct cg_addr), "a path's key has no padding");

void cg_coap_remotes_init(struct cg_coap_remotes *remotes, size_t max) {
    *remotes = (struct cg_coap_remotes){.max = max};
    cg_coap_shares_init(&remotes->shares);
}

struct cg_coap_remote *cg_coap_remotes_find(const struct cg_coap_remotes *remotes, const struct cg_coap_path *path) {
    struct cg_coap_remote *remote;
    HASH_FIND(hh, remotes->by_path, path, CG_COAP_PATH_KEY, remote);
    return remote;
}

struct cg_coap_remote *cg_coap_remotes_add(struct cg_coap_remotes *remotes, const struct cg_coap_path *path) {
    struct cg_coap_remote *remote = calloc(1, sizeof *remote);
    if (remote == NULL) return NULL;
    remote->peer.path = *path;
    remote->number = ++remotes->numbered;
    if (path->session != NULL) return remote;
    HASH_ADD(hh, remotes->by_path, peer.path, CG_COAP_PATH_KEY, remote);
    if (CG_HASH_HAS(hh, remote)) return remote;
    free(remote);
    return NULL;
}

bool cg_coap_remotes_are_full(const struct cg_coap_remotes *remotes) {
    return HASH_COUNT(remotes->by_path) >= remotes->max;
}

struct cg_coap_remote *cg_coap_remotes_first_to_go(const struct cg_coap_remotes *remotes) {
    struct cg_coap_share *goes =
        cg_coap_remotes_are_full(remotes) ? cg_coap_shares_first_to_go(&remotes->shares) : NULL;
    return goes == NULL ? NULL : CG_CONTAINER(goes, struct cg_coap_remote, share);
}

bool cg_coap_remote_rest(struct cg_coap_remotes *remotes, struct cg_coap_remote *remote, uint64_t now_us) {
    cg_coap_remote_rouse(remotes, remote);
    if (!cg_coap_share_put(&remotes->shares, &remote->share, &remote->peer.path.from, 1)) return false;
    remote->rests_until_us = now_us + CG_EXCHANGE_LIFETIME_US;
    DL_APPEND(remotes->resting, remote);
    return true;
}

void cg_coap_remote_rouse(struct cg_coap_remotes *remotes, struct cg_coap_remote *remote) {
    if (remote->share.holder == NULL) return;
    cg_coap_share_take(&remotes->shares, &remote->share);
    DL_DELETE(remotes->resting, remote);
}

void cg_coap_remote_free(struct cg_coap_remotes *remotes, struct cg_coap_remote *remote) {
    cg_coap_remote_rouse(remotes, remote);
    if (CG_HASH_HAS(hh, remote)) HASH_DEL(remotes->by_path, remote);
    cg_coap_sent_fini(&remote->sent);
    cg_coap_confirm_fini(&remote->confirm);
    free(remote);
}

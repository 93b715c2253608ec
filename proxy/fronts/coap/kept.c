/* The keep. The hard thing: whoever is pushed out may be the last of its client, whose account then goes with it, but
 * not while something is being put there. All have the same time to live, so each list is in the order of their ends.
 */
#include "fronts/coap/kept.h"

#include <stdlib.h>

#include <utlist.h>

#include "wire/transmission.h"

enum { SHARES = 4, SLICE = 64 /* dropped in one call */ };

/* Of one client. */
struct cg_keep_client {
    UT_hash_handle hh;
    char account[CG_ACCOUNT_MAX];
    size_t used;
    struct cg_kept *first; /* the oldest */
};

void cg_keep_init(struct cg_keep *keep, size_t max, struct cg_quota *quota, void (*drop)(struct cg_kept *kept)) {
    *keep = (struct cg_keep){.drop = drop, .quota = quota, .max = max};
}

static struct cg_keep_client *make_client(struct cg_keep *keep, const char account[CG_ACCOUNT_MAX]) {
    struct cg_keep_client *client = calloc(1, sizeof *client);
    if (client == NULL) return NULL;
    memcpy(client->account, account, sizeof client->account);
    HASH_ADD_STR(keep->clients, account, client);
    if (CG_HASH_HAS(hh, client)) return client;
    free(client);
    return NULL;
}

static struct cg_keep_client *client_of(struct cg_keep *keep, const struct cg_request *request) {
    char account[CG_ACCOUNT_MAX] = "";
    struct cg_keep_client *client;
    cg_request_account(request, account);
    HASH_FIND_STR(keep->clients, account, client);
    return client != NULL ? client : make_client(keep, account);
}

static void drop_empty(struct cg_keep *keep, struct cg_keep_client *client) {
    if (client->first != NULL) return;
    HASH_DEL(keep->clients, client);
    free(client);
}

static void count(struct cg_keep *keep, struct cg_keep_client *client, size_t size, size_t charged) {
    keep->used += size;
    client->used += size;
    if (keep->quota != NULL) keep->quota->used += charged;
}

static void link_last(struct cg_keep *keep, struct cg_kept *kept, uint64_t now_us) {
    kept->until_us = now_us + CG_EXCHANGE_LIFETIME_US;
    DL_APPEND2(keep->first, kept, previous, next);
    DL_APPEND2(kept->client->first, kept, previous_of_client, next_of_client);
}

static void unlink_it(struct cg_keep *keep, struct cg_kept *kept) {
    DL_DELETE2(keep->first, kept, previous, next);
    DL_DELETE2(kept->client->first, kept, previous_of_client, next_of_client);
}

/* `staying` is not dropped, even if it is empty then; NULL: none stays. */
static void push_out(struct cg_keep *keep, struct cg_kept *kept, const struct cg_keep_client *staying) {
    struct cg_keep_client *client = kept->client;
    HASH_DEL(keep->by_key, kept);
    unlink_it(keep, kept);
    keep->used -= kept->size;
    client->used -= kept->size;
    if (keep->quota != NULL) keep->quota->used -= kept->charged;
    keep->drop(kept);
    if (client != staying) drop_empty(keep, client);
}

void cg_keep_drop(struct cg_keep *keep, struct cg_kept *kept) { push_out(keep, kept, NULL); }

void cg_keep_fini(struct cg_keep *keep) {
    while (keep->first != NULL) cg_keep_drop(keep, keep->first);
}

struct cg_kept *cg_keep_find(const struct cg_keep *keep, const struct cg_coap_key *key, uint64_t now_us) {
    struct cg_kept *kept;
    HASH_FIND(hh, keep->by_key, key, sizeof *key, kept);
    return kept != NULL && kept->until_us > now_us ? kept : NULL;
}

/* Whether there is, but for `growing` (NULL: none), which stays. */
static bool make_room(struct cg_keep *keep, struct cg_keep_client *client, const struct cg_kept *growing, size_t size) {
    size_t own = growing == NULL ? 0 : growing->size;
    if (own + size > keep->max / SHARES) return false;
    while (client->used + size > keep->max / SHARES) {
        push_out(keep, client->first != growing ? client->first : growing->next_of_client, client);
    }
    while (keep->used + size > keep->max) {
        push_out(keep, keep->first != growing ? keep->first : growing->next, client);
    }
    return true;
}

static bool put(struct cg_keep *keep, struct cg_kept *kept, struct cg_keep_client *client, uint64_t now_us) {
    struct cg_kept *before;
    HASH_FIND(hh, keep->by_key, &kept->key, sizeof kept->key, before);
    if (before != NULL) push_out(keep, before, client);
    if (!make_room(keep, client, NULL, kept->size) || !cg_quota_has_room(keep->quota, kept->charged)) return false;
    HASH_ADD(hh, keep->by_key, key, sizeof kept->key, kept);
    if (!CG_HASH_HAS(hh, kept)) return false;
    kept->client = client;
    link_last(keep, kept, now_us);
    count(keep, client, kept->size, kept->charged);
    return true;
}

int cg_keep_put(struct cg_keep *keep, struct cg_kept *kept, const struct cg_request *request, uint64_t now_us) {
    struct cg_keep_client *client = client_of(keep, request);
    if (client == NULL) return CG_E_NO_MEMORY;
    bool is_in = put(keep, kept, client, now_us);
    drop_empty(keep, client);
    return is_in ? CG_OK : CG_E_NO_MEMORY;
}

int cg_keep_grow(struct cg_keep *keep, struct cg_kept *kept, size_t more, uint64_t now_us) {
    if (!cg_quota_has_room(keep->quota, more) || !make_room(keep, kept->client, kept, more)) return CG_E_NO_MEMORY;
    kept->size += more;
    kept->charged += more;
    count(keep, kept->client, more, more);
    unlink_it(keep, kept);
    link_last(keep, kept, now_us);
    return CG_OK;
}

uint64_t cg_keep_expire(struct cg_keep *keep, uint64_t now_us) {
    for (int i = 0; i < SLICE && keep->first != NULL && keep->first->until_us <= now_us; i++) {
        cg_keep_drop(keep, keep->first);
    }
    return keep->first == NULL ? UINT64_MAX : keep->first->until_us;
}

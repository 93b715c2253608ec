/* Shares, by member. The hard thing: an answer that is taken back leaves no trace in the tally, so what its member had
 * us do for it is counted here. */
#include "legs/share.h"

enum { BLOCKS_MIN = 1024, BLOCK_USUAL = 64, ECHOES = 4 };

struct cg_share {
    UT_hash_handle hh;
    struct cg_slice who;
    uint32_t taken[CG_SHARE_COUNT];
};

static struct cg_share *get(struct cg_exchange *exchange, struct cg_slice who) {
    struct cg_share *share;
    HASH_FIND(hh, exchange->shares, who.data, who.len, share);
    if (share != NULL) return share;
    share = cg_arena_zalloc(&exchange->arena, sizeof *share);
    if (share == NULL) return NULL;
    share->who = cg_arena_copy(&exchange->arena, who);
    if (share->who.data == NULL) return NULL;
    HASH_ADD_KEYPTR(hh, exchange->shares, share->who.data, share->who.len, share);
    return CG_HASH_HAS(hh, share) ? share : NULL;
}

static size_t most_of(const struct cg_exchange *exchange, enum cg_share_of what) {
    size_t blocks = exchange->config->limits.answer / BLOCK_USUAL;
    if (what == CG_SHARE_ECHO) return ECHOES;
    return blocks < BLOCKS_MIN ? BLOCKS_MIN : blocks;
}

bool cg_share_take(struct cg_exchange *exchange, struct cg_slice who, enum cg_share_of what) {
    struct cg_share *share = get(exchange, who);
    if (share == NULL || share->taken[what] >= most_of(exchange, what)) return false;
    share->taken[what]++;
    return true;
}

void cg_shares_fini(struct cg_exchange *exchange) { HASH_CLEAR(hh, exchange->shares); }

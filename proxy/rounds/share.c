/* Shares, by member. The hard thing: an answer that is taken back leaves no trace in the tally, so what its member had
 * us do for it is counted here. */
#include "rounds/share.h"

enum { BLOCKS_MIN = 1024, BLOCK_USUAL = 64, ECHOES = 4, HINTS = 1, BLOCKS_A_SECOND = 4 };

#define SECOND_US UINT64_C(1000000)

static uint32_t blocks_for(size_t answer_max) {
    size_t blocks = answer_max / BLOCK_USUAL;
    return blocks < BLOCKS_MIN ? BLOCKS_MIN : (uint32_t)blocks;
}

static void fill(struct cg_share *share, size_t answer_max) {
    share->blocks_left = blocks_for(answer_max);
    share->echoes_left = ECHOES;
    share->hints_left = HINTS;
}

void cg_shares_refill(struct cg_share *shares, size_t answer_max) {
    for (struct cg_share *share = shares; share != NULL; share = share->hh.next) fill(share, answer_max);
}

void cg_share_grow(struct cg_share *share, size_t answer_max, uint64_t now_us) {
    uint64_t seconds = share->filled_us == 0 ? 0 : (now_us - share->filled_us) / SECOND_US;
    uint64_t blocks = share->blocks_left + seconds * BLOCKS_A_SECOND, most = blocks_for(answer_max);
    share->blocks_left = (uint32_t)(blocks < most ? blocks : most);
    share->filled_us = share->filled_us == 0 ? now_us : share->filled_us + seconds * SECOND_US;
}

struct cg_share *cg_share_of(struct cg_share **shares, struct cg_arena *arena, struct cg_slice who, size_t answer_max) {
    struct cg_share *share;
    HASH_FIND(hh, *shares, who.data, who.len, share);
    if (share != NULL) return share;
    share = cg_arena_zalloc(arena, sizeof *share);
    if (share == NULL) return NULL;
    share->who = cg_arena_copy(arena, who);
    if (share->who.data == NULL) return NULL;
    fill(share, answer_max);
    HASH_ADD_KEYPTR(hh, *shares, share->who.data, share->who.len, share);
    return CG_HASH_HAS(hh, share) ? share : NULL;
}

void cg_shares_fini(struct cg_share **shares) { HASH_CLEAR(hh, *shares); }

/* Pacing. The hard thing: "a group that does not respond" is a state that any answer ends, so a group that answers is
 * limited by NSTART alone and a silent one by the probing rate as well. */
#include "legs/pace.h"
#include "base/check.h"

#include <stdlib.h>

struct cg_pace *cg_pace_find(const struct cg_pace_table *table, const struct cg_pace_key *key) {
    struct cg_pace *pace;
    HASH_FIND(hh, table->by_key, key, sizeof *key, pace);
    return pace;
}

struct cg_pace *cg_pace_get(struct cg_pace_table *table, const struct cg_group_settings *settings,
                            const struct cg_pace_key *key, uint64_t now_us) {
    struct cg_pace *pace = cg_pace_find(table, key);
    if (pace != NULL) return pace;
    pace = calloc(1, sizeof *pace);
    if (pace == NULL) return NULL;
    pace->key = *key;
    pace->bytes = (struct cg_allowance){.left = settings->probing_burst, .filled_us = now_us};
    HASH_ADD(hh, table->by_key, key, sizeof pace->key, pace);
    if (CG_HASH_HAS(hh, pace)) return pace;
    free(pace);
    return NULL;
}

static void refill(struct cg_pace *pace, const struct cg_group_settings *settings, uint64_t now_us) {
    cg_allowance_fill(&pace->bytes, settings->probing_burst, settings->probing_rate, now_us);
}

uint64_t cg_pace_when(struct cg_pace *pace, const struct cg_group_settings *settings, size_t bytes, uint64_t now_us) {
    if (pace->outstanding >= settings->nstart) return UINT64_MAX;
    refill(pace, settings, now_us);
    /* A request larger than the whole burst goes when the bucket is full; it then owes the rest. */
    double need = bytes < settings->probing_burst ? (double)bytes : settings->probing_burst;
    uint64_t wait_us = cg_allowance_wait_us(&pace->bytes, need, settings->probing_rate);
    return wait_us == 0 ? 0 : now_us + wait_us;
}

void cg_pace_sent(struct cg_pace *pace, size_t bytes, bool expects_answers) {
    pace->bytes.left -= (double)bytes;
    if (expects_answers) pace->outstanding++;
}

void cg_pace_answered(struct cg_pace *pace, const struct cg_group_settings *settings) {
    pace->bytes.left = settings->probing_burst;
}

void cg_pace_settled(struct cg_pace *pace, uint64_t turn_us) {
    CG_CHECK(pace->outstanding > 0);
    pace->outstanding--;
    pace->turn_us = pace->turn_us == 0 ? turn_us : (pace->turn_us + turn_us) / 2;
}

bool cg_pace_purge(struct cg_pace_table *table, const struct cg_group_settings *settings, uint64_t now_us,
                   size_t *rows) {
    struct cg_pace *pace;
    CG_HASH_SWEEP(table->by_key, table->sweep, pace, *rows) {
        refill(pace, settings, now_us);
        if (pace->casts > 0 || pace->room.state != CG_ROOM_NONE || pace->bytes.left < settings->probing_burst) continue;
        HASH_DEL(table->by_key, pace);
        free(pace);
    }
    return table->sweep != NULL;
}

void cg_pace_fini(struct cg_pace_table *table) {
    struct cg_pace *pace, *next;
    HASH_ITER(hh, table->by_key, pace, next) {
        HASH_DEL(table->by_key, pace);
        free(pace);
    }
}

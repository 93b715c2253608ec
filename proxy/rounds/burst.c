/* What was asked lately, and when. The hard thing: the request before may be over, or may have been overtaken by a
 * change of the group, after which nobody may be kept waiting for nothing. */
#include "rounds/burst.h"

enum {
    MOMENT_US = 50000, /* as long as a request may be joined at most */
    MOMENT_MAX_US = 200000,
};

static struct cg_burst *row_of(const struct cg_round *round) {
    return &round->rounds->bursts[round->burst_key % CG_BURSTS];
}

static bool is_own(const struct cg_burst *row, const struct cg_round *round) {
    return row->key == round->burst_key && row->key != 0;
}

/* Of the groups, as they were when the requests went out. */
static uint64_t changes_of(const struct cg_round *round) {
    uint64_t changes = 0;
    for (size_t i = 0; i < round->part_count; i++) {
        if (round->parts[i].cast != NULL) changes += round->parts[i].cast->changes;
    }
    return changes;
}

static uint64_t changes_now(const struct cg_round *round) {
    uint64_t changes = 0;
    for (size_t i = 0; i < round->part_count; i++) {
        changes += cg_target_changes(cg_round_engine(round), round->parts[i].target);
    }
    return changes;
}

uint64_t cg_burst_until(const struct cg_round *round) {
    const struct cg_burst *row = row_of(round);
    if (!is_own(row, round)) return 0;
    const struct cg_round *before = row->round;
    bool is_burst = row->shared || (before != NULL && before->collecting > 0);
    uint64_t sent_us = before != NULL ? before->sent_us : row->sent_us;
    uint64_t changes = before != NULL ? changes_of(before) : row->changes;
    if (!is_burst || sent_us == 0 || changes != changes_now(round)) return 0;
    return sent_us + row->moment_us;
}

static uint32_t next_moment(uint32_t moment_us) {
    return 2 * moment_us < MOMENT_MAX_US ? 2 * moment_us : MOMENT_MAX_US;
}

void cg_burst_cast(struct cg_round *round) {
    struct cg_burst *row = row_of(round);
    bool is_shared = round->waiters->next != NULL;
    uint32_t moment_us = is_own(row, round) && is_shared ? next_moment(row->moment_us) : MOMENT_US;
    *row = (struct cg_burst){.key = round->burst_key, .round = round, .moment_us = moment_us, .shared = is_shared};
}

void cg_burst_joined(struct cg_round *round) {
    struct cg_burst *row = row_of(round);
    if (row->round == round) row->shared = true;
}

void cg_burst_over(struct cg_round *round) {
    struct cg_burst *row = row_of(round);
    if (row->round != round) return;
    row->round = NULL;
    row->sent_us = round->sent_us;
    row->changes = changes_of(round);
}

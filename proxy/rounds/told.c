/* Letting go. The hard thing: whoever joins later, or looks at the end, must find all answers, so nothing goes before
 * it is certain that nobody will; and who has answered once is no new member when it answers again. */
#include "rounds/told.h"

#include "base/container.h"
#include "rounds/tallying.h"

#include <utlist.h>

/* Who was told of */

struct cg_told_answer {
    uint32_t content;
    uint32_t number, ms; /* as struct cg_answer's */
    uint16_t mid;
    uint16_t key_len : 15, is_failure : 1;
    uint8_t key[];
};

static struct cg_slice key_of(const struct cg_told_answer *told) { return cg_slice_of(told->key, told->key_len); }

struct cg_told_answer *cg_tallying_find_told(const struct cg_tally *tally, const struct cg_who *who) {
    struct cg_told_answer *told;
    for (uint32_t at = who->hash; (told = cg_lookup_next(&tally->told, who->hash, &at)) != NULL;) {
        if (cg_slice_equal(key_of(told), who->key)) return told;
    }
    return NULL;
}

static bool is_repeated(const struct cg_told_answer *told, const struct cg_arrival *arrival) {
    const struct cg_opened *opened = arrival->opened;
    return !opened->has_number && told->mid == arrival->mid &&
           told->content == cg_tallying_content(opened->code, opened->options, opened->payload);
}

enum cg_tally_result cg_tallying_add_to_told(struct cg_tally *tally, const struct cg_arrival *arrival,
                                             const struct cg_who *who, struct cg_told_answer *told,
                                             struct cg_held_answer **held) {
    tally->duplicates++;
    if (is_repeated(told, arrival)) return CG_TALLY_AGAIN;
    struct cg_held_answer *entry = cg_tallying_new(tally, arrival, who);
    if (entry == NULL || !cg_lookup_add(&tally->by_who, who->hash, entry))
        return cg_tally_drop_for_memory(tally, arrival);
    cg_lookup_remove(&tally->told, who->hash, told);
    cg_tallying_fill(tally, entry, arrival);
    entry->told = told;
    entry->news.answer = &entry->answer;
    entry->answer.member = who->member;
    entry->answer.number = told->number;
    entry->answer.ms = told->ms;
    tally->failed += (cg_tallying_is_failure(entry->answer.code) ? 1u : 0u) - (told->is_failure ? 1u : 0u);
    cg_tallying_list(tally, entry);
    *held = entry;
    return CG_TALLY_NEWER;
}

/* NULL: no memory. One that answers again and again costs no more than the first time. */
static struct cg_told_answer *told_of(struct cg_tally *tally, const struct cg_held_answer *held) {
    struct cg_told_answer *told = held->told;
    if (told == NULL) told = cg_arena_alloc(tally->arena, sizeof *told + held->key.len);
    if (told == NULL) return NULL;
    *told = (struct cg_told_answer){
        .content = cg_tallying_content(held->answer.code, held->answer.options, held->answer.payload),
        .number = held->answer.number,
        .ms = held->answer.ms,
        .mid = held->mid,
        .key_len = (uint16_t)held->key.len & 0x7fff,
        .is_failure = cg_tallying_is_failure(held->answer.code),
    };
    memcpy(told->key, held->key.data, held->key.len);
    return told;
}

/* Its memory is the next one's. False: it stays, as there is none for its key. */
static bool let_go(struct cg_tally *tally, struct cg_held_answer *held) {
    struct cg_told_answer *told = told_of(tally, held);
    held->told = told;
    if (told == NULL || !cg_lookup_add(&tally->told, held->hash, told)) return false;
    cg_lookup_remove(&tally->by_who, held->hash, held);
    *tally->beyond = held->answer.next;
    if (tally->last_answer == &held->answer.next) tally->last_answer = tally->beyond;
    held->answer.next = tally->spare;
    tally->spare = &held->answer;
    return true;
}

/* When */

static bool is_followed_by_all(const struct cg_round *round) {
    const struct cg_waiter *waiter;
    DL_FOREACH(round->waiters, waiter) {
        if (waiter->reader.feed == NULL) return false;
    }
    return round->waiters != NULL;
}

/* What is observed is told once more; what is kept for other requests is compared with what is here. */
static bool may_let_go(const struct cg_round *round) {
    bool is_held_for_others = cg_round_observes(round) || round->cached.keeps || round->cached.serves;
    return !is_held_for_others && is_followed_by_all(round);
}

void cg_told_let_go(struct cg_round *round) {
    struct cg_tally *tally = &round->tally;
    if (tally->beyond == NULL || *tally->beyond == NULL || !may_let_go(round)) return;
    cg_round_close_door(round);
    while (*tally->beyond != NULL) {
        struct cg_held_answer *held = CG_CONTAINER(*tally->beyond, struct cg_held_answer, answer);
        if (!cg_feed_is_taken(&round->feed, &held->news)) return;
        cg_feed_release(&round->feed, &held->news);
        if (!let_go(tally, held)) return;
    }
}

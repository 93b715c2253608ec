/* The tally. The hard thing: one entry for each who answered (core/who.h) in the memory of one exchange, however often
 * and however much they send. */
#include "core/tally.h"

#include "base/text.h"
#include "core/who.h"

/* Chains half as long as uthash has them: where ten thousand answer, each entry passed on the way is a cache miss. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 5U

bool cg_tally_init(struct cg_tally *tally, struct cg_arena *arena, const struct cg_mapping *mapping) {
    *tally = (struct cg_tally){.arena = arena, .mapping = mapping};
    tally->last_refusal = &tally->refusals;
    if (mapping->member_count == 0) return true;
    tally->seen = cg_arena_zalloc(arena, (mapping->member_count + 7) / 8);
    return tally->seen != NULL;
}

void cg_tally_fini(struct cg_tally *tally) { HASH_CLEAR(hh, tally->answers); }

static void mark_seen(struct cg_tally *tally, const struct cg_member *member, bool seen) {
    if (member == NULL || cg_tally_has_seen(tally, member) == seen) return;
    tally->seen[member->number / 8] ^= (uint8_t)(1u << member->number % 8);
    tally->seen_count += seen ? 1u : -1u;
}

bool cg_tally_has_seen(const struct cg_tally *tally, const struct cg_member *member) {
    return tally->seen[member->number / 8] >> member->number % 8 & 1;
}

static bool is_failure(uint8_t code) { return code >= CG_CODE(4, 0); }

/* Makes room for `len` bytes, at least doubling: a member that answers again and again costs at most twice its largest.
 */
static bool make_room(struct cg_tally *tally, struct cg_held_answer *held, size_t len) {
    if (len <= held->room_cap) return true;
    size_t cap = held->room_cap == 0 || len > held->room_cap * 2 ? len : held->room_cap * 2;
    uint8_t *room = cg_arena_alloc(tally->arena, cap);
    if (room == NULL) return false;
    held->room = room;
    held->room_cap = cap;
    return true;
}

static struct cg_slice store(uint8_t **at, struct cg_slice slice) {
    if (slice.len == 0) return CG_SLICE_NONE;
    memcpy(*at, slice.data, slice.len);
    struct cg_slice stored = cg_slice_of(*at, slice.len);
    *at += slice.len;
    return stored;
}

static void note_order(struct cg_held_answer *held, const struct cg_arrival *arrival) {
    held->has_piv = arrival->opened->has_number;
    held->piv = arrival->opened->number;
    held->generation = arrival->opened->generation;
    held->request = arrival->request;
}

static bool hold(struct cg_tally *tally, struct cg_held_answer *held, const struct cg_arrival *arrival) {
    const struct cg_opened *opened = arrival->opened;
    if (!make_room(tally, held, opened->options.len + opened->payload.len + opened->kid.len)) return false;
    uint8_t *at = held->room;
    held->options = store(&at, opened->options);
    held->payload = store(&at, opened->payload);
    held->kid = store(&at, opened->kid);
    held->has_kid = opened->has_kid;
    note_order(held, arrival);
    held->from = arrival->from;
    held->ms = arrival->ms;
    held->code = opened->code;
    held->verified = opened->verified;
    held->via = arrival->via;
    held->whole = true;
    return true;
}

static enum cg_tally_result dropped(struct cg_tally *tally, const struct cg_arrival *arrival, const char *reason) {
    cg_tally_refuse(tally, &arrival->from, arrival->opened, reason);
    tally->limited = true;
    return CG_TALLY_OVER_CAP;
}

/* After an allocation that failed. */
static enum cg_tally_result dropped_for_memory(struct cg_tally *tally, const struct cg_arrival *arrival) {
    bool shared = tally->arena->quota_refused;
    enum cg_tally_result own = dropped(tally, arrival, "memory-limit");
    return shared ? CG_TALLY_NO_MEMORY : own;
}

static bool keep_key(struct cg_tally *tally, struct cg_held_answer *entry, const struct cg_who *who) {
    entry->addr = who->addr;
    entry->key =
        who->is_identity ? cg_arena_copy(tally->arena, who->key) : cg_slice_of(&entry->addr, sizeof entry->addr);
    return entry->key.data != NULL;
}

static enum cg_tally_result add_first(struct cg_tally *tally, const struct cg_arrival *arrival,
                                      const struct cg_who *who, struct cg_held_answer **held) {
    if (tally->answered >= tally->mapping->max_answers) return dropped(tally, arrival, "max_answers");
    struct cg_held_answer *entry = cg_arena_zalloc(tally->arena, sizeof *entry);
    if (entry == NULL || !hold(tally, entry, arrival) || !keep_key(tally, entry, who)) {
        return dropped_for_memory(tally, arrival);
    }
    entry->member = who->member;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, tally->answers, entry->key.data, entry->key.len, who->hash, entry);
    if (!CG_HASH_HAS(hh, entry)) return dropped_for_memory(tally, arrival);
    mark_seen(tally, entry->member, true);
    entry->number = ++tally->numbered;
    tally->answered++;
    if (is_failure(entry->code)) tally->failed++;
    *held = entry;
    return CG_TALLY_NEW;
}

static bool is_same(const struct cg_held_answer *held, const struct cg_opened *opened) {
    return held->code == opened->code && cg_slice_equal(held->options, opened->options) &&
           cg_slice_equal(held->payload, opened->payload);
}

/* A member with a new Sender ID counts from the beginning (RFC 10021 §2.6.3.1). */
static bool is_older(const struct cg_held_answer *held, const struct cg_arrival *arrival) {
    const struct cg_opened *opened = arrival->opened;
    bool numbered = held->has_piv && opened->has_number && cg_slice_equal(held->kid, opened->kid);
    if (!numbered) return arrival->request < held->request;
    if (opened->generation != held->generation) return opened->generation < held->generation;
    return opened->number <= held->piv;
}

static enum cg_tally_result add_again(struct cg_tally *tally, const struct cg_arrival *arrival,
                                      struct cg_held_answer *held) {
    tally->duplicates++;
    if (!held->whole) return CG_TALLY_AGAIN; /* its blocks belong together */
    if (arrival->opened->overtaken || is_older(held, arrival)) return CG_TALLY_AGAIN;
    if (is_same(held, arrival->opened)) {
        note_order(held, arrival);
        return CG_TALLY_AGAIN;
    }
    uint32_t ms = held->ms;
    bool failed = is_failure(held->code);
    if (!hold(tally, held, arrival)) return CG_TALLY_AGAIN; /* the earlier answer stays */
    held->ms = ms;                                          /* when the member first answered */
    tally->failed += (is_failure(held->code) ? 1u : 0u) - (failed ? 1u : 0u);
    return CG_TALLY_NEWER;
}

enum cg_tally_result cg_tally_add(struct cg_tally *tally, const struct cg_arrival *arrival,
                                  struct cg_held_answer **held) {
    struct cg_who who;
    cg_who_decide(&who, tally->mapping, &arrival->from, arrival->opened->identity);
    struct cg_held_answer *found = NULL;
    if (who.member == NULL || cg_tally_has_seen(tally, who.member)) { /* else it has no answer to be searched for */
        HASH_FIND_BYHASHVALUE(hh, tally->answers, who.key.data, who.key.len, who.hash, found);
    }
    struct cg_held_answer *ignored;
    if (held == NULL) held = &ignored;
    if (found == NULL) return add_first(tally, arrival, &who, held);
    *held = found;
    return add_again(tally, arrival, found);
}

bool cg_tally_complete(struct cg_tally *tally, struct cg_held_answer *held, struct cg_slice body) {
    struct cg_slice payload = cg_arena_copy(tally->arena, body);
    if (payload.data == NULL) return false;
    held->payload = payload;
    return true;
}

/* A member whose zone was left out may have answered on several links. */
static bool has_answer(const struct cg_tally *tally, const struct cg_member *member) {
    const struct cg_held_answer *held = tally->answers;
    while (held != NULL && held->member != member) held = held->hh.next;
    return held != NULL;
}

static void mark_unseen(struct cg_tally *tally, const struct cg_member *member) {
    bool on_any_link = member != NULL && member->addr.scope == 0 && cg_addr_is_link_local(&member->addr);
    if (!on_any_link || !has_answer(tally, member)) mark_seen(tally, member, false);
}

void cg_tally_withdraw(struct cg_tally *tally, struct cg_held_answer *held, const char *reason) {
    HASH_DEL(tally->answers, held);
    mark_unseen(tally, held->member);
    tally->answered--;
    if (is_failure(held->code)) tally->failed--;
    cg_tally_refuse(tally, &held->from, &(struct cg_opened){.kid = held->kid, .has_kid = held->has_kid}, reason);
}

/* At most CG_DIAGNOSTIC_MAX bytes, without cutting a character. */
static struct cg_slice beginning_of(struct cg_slice text) {
    size_t len = 0, step = 1;
    while (len < text.len && step > 0) {
        step = cg_utf8_sequence(text.data + len, text.len - len);
        if (len + step > CG_DIAGNOSTIC_MAX) break;
        len += step;
    }
    return cg_slice_of(text.data, len);
}

static bool is_plain(const struct cg_opened *opened) {
    struct cg_msg msg = {.options = opened->options};
    struct cg_slice value;
    return opened->verified == CASTGATE_VERIFIED_NONE && !cg_msg_find(&msg, CG_OPT_OSCORE, &value);
}

/* RFC 7252 §5.5.2: the payload of an error without format. */
static struct cg_slice diagnostic_of(const struct cg_opened *opened) {
    struct cg_msg msg = {.options = opened->options};
    struct cg_slice format;
    bool is_text = is_failure(opened->code) && !cg_msg_find(&msg, CG_OPT_CONTENT_FORMAT, &format);
    return is_text ? beginning_of(opened->payload) : CG_SLICE_NONE;
}

static void keep_words(struct cg_tally *tally, struct cg_refusal *refusal, const struct cg_opened *opened) {
    if (!is_plain(opened)) return;
    refusal->code = opened->code;
    refusal->diagnostic = cg_arena_copy(tally->arena, diagnostic_of(opened));
}

void cg_tally_refuse(struct cg_tally *tally, const struct cg_addr *from, const struct cg_opened *opened,
                     const char *reason) {
    if (tally->rejected++ >= CG_REFUSALS_LISTED) return;
    struct cg_refusal *refusal = cg_arena_zalloc(tally->arena, sizeof *refusal);
    if (refusal == NULL) return;
    refusal->from = *from;
    refusal->kid = cg_arena_copy(tally->arena, opened->kid);
    refusal->gid = cg_arena_copy(tally->arena, opened->gid);
    refusal->reason = reason;
    keep_words(tally, refusal, opened);
    *tally->last_refusal = refusal;
    tally->last_refusal = &refusal->next;
}

bool cg_tally_is_finished(const struct cg_tally *tally, const char **ended_by) {
    const struct cg_mapping *mapping = tally->mapping;
    if (tally->incomplete > 0) return false;
    switch (mapping->finish.rule) {
    case CG_FINISH_DEADLINE: return false;
    case CG_FINISH_ALL:
        *ended_by = "all";
        return mapping->member_count > 0 && tally->seen_count == mapping->member_count;
    case CG_FINISH_QUORUM:
        *ended_by = "quorum";
        return mapping->member_count > 0 && tally->seen_count >= mapping->finish.quorum * (double)mapping->member_count;
    case CG_FINISH_COUNT: *ended_by = "count"; return tally->answered >= mapping->finish.count;
    }
    return false;
}

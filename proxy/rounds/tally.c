/* The tally. The hard thing: one entry for each who answered (model/who.h) in the memory of one round, however often
 * and however much they send. */
#include "rounds/tally.h"

#include "base/container.h"
#include "rounds/tallying.h"
#include "rounds/told.h"

bool cg_tally_init(struct cg_tally *tally, struct cg_arena *arena, const struct cg_mapping *mapping) {
    *tally = (struct cg_tally){
        .arena = arena, .mapping = mapping, .finish = mapping->finish, .expected = (uint32_t)mapping->member_count};
    tally->last_answer = &tally->answers;
    tally->last_refusal = &tally->refusals;
    if (mapping->member_count == 0) return true;
    size_t size = cg_member_set_size(mapping);
    tally->seen = cg_arena_zalloc(arena, 3 * size);
    if (tally->seen == NULL) return false;
    tally->coming = tally->seen + size;
    tally->reached = tally->coming + size;
    return true;
}

void cg_tally_expect_one(struct cg_tally *tally) {
    tally->finish = (struct cg_finish){.rule = CG_FINISH_ALL};
    tally->expected = 1;
    tally->expects_one = true;
}

void cg_tally_observe(struct cg_tally *tally) {
    tally->observes = true;
    tally->finish = (struct cg_finish){.rule = CG_FINISH_DEADLINE};
}

void cg_tally_fini(struct cg_tally *tally) {
    cg_lookup_fini(&tally->by_who);
    cg_lookup_fini(&tally->told);
}

static void mark_seen(struct cg_tally *tally, const struct cg_member *member) {
    if (member == NULL || cg_member_set_has(tally->seen, member)) return;
    cg_member_set_put(tally->seen, member, true);
    tally->seen_count++;
}

uint32_t cg_tally_missing(const struct cg_tally *tally) { return tally->expected - tally->seen_count; }

bool cg_tally_has_seen(const struct cg_tally *tally, const struct cg_member *member) {
    if (tally->expects_one) return tally->seen_count > 0;
    return cg_member_set_has(tally->seen, member);
}

bool cg_tally_has_reached(const struct cg_tally *tally, const struct cg_member *member) {
    return cg_member_set_has(tally->reached, member);
}

void cg_tally_note_reached(struct cg_tally *tally, const struct cg_member *member) {
    if (member == NULL || cg_tally_has_reached(tally, member)) return;
    cg_member_set_put(tally->reached, member, true);
    tally->reached_count++;
}

/* By what it has answered, of which this is a part or all. */
static void note_way(struct cg_tally *tally, const struct cg_arrival *arrival, const struct cg_who *who) {
    if (arrival->via == CASTGATE_VIA_MULTICAST) cg_tally_note_reached(tally, who->member);
}

bool cg_tally_is_silent(const struct cg_tally *tally, const struct cg_member *member) {
    return !cg_member_set_has(tally->seen, member) && !cg_member_set_has(tally->coming, member);
}

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

static void note_order(struct cg_tally *tally, struct cg_held_answer *held, const struct cg_arrival *arrival) {
    held->order = arrival->order != 0 ? arrival->order : ++tally->arrivals;
    held->has_piv = arrival->opened->has_number;
    held->piv = arrival->opened->number;
    held->generation = arrival->opened->generation;
    held->request = arrival->request;
}

static size_t size_of(const struct cg_opened *opened) {
    return opened->options.len + opened->payload.len + opened->kid.len;
}

/* What it says of itself, where the request observes. */
static struct cg_notification read_notification(const struct cg_tally *tally, const struct cg_arrival *arrival) {
    struct cg_notification notification = {0};
    if (tally->observes) cg_notification_read(arrival->opened, &notification);
    return notification;
}

static void note_notification(const struct cg_tally *tally, struct cg_held_answer *held,
                              const struct cg_arrival *arrival) {
    held->notification = read_notification(tally, arrival);
    held->answer.is_notification = held->notification.is_observed;
    held->notified_us = arrival->arrival_us;
}

void cg_tallying_fill(struct cg_tally *tally, struct cg_held_answer *held, const struct cg_arrival *arrival) {
    const struct cg_opened *opened = arrival->opened;
    uint8_t *at = held->room;
    held->answer.options = store(&at, opened->options);
    held->answer.payload = store(&at, opened->payload);
    held->answer.kid = store(&at, opened->kid);
    held->answer.has_kid = opened->has_kid;
    note_order(tally, held, arrival);
    held->answer.from = arrival->from;
    held->answer.ms = arrival->ms;
    held->answer.code = opened->code;
    held->answer.verified = opened->verified;
    held->answer.via = arrival->via;
    held->mid = arrival->mid;
    note_notification(tally, held, arrival);
}

static enum cg_tally_result dropped(struct cg_tally *tally, const struct cg_arrival *arrival, const char *reason) {
    cg_tally_refuse(tally, &arrival->from, arrival->opened, reason);
    tally->limited = true;
    return CG_TALLY_OVER_CAP;
}

enum cg_tally_result cg_tally_drop_for_memory(struct cg_tally *tally, const struct cg_arrival *arrival) {
    bool shared = tally->arena->quota_refused;
    enum cg_tally_result own = dropped(tally, arrival, "memory-limit");
    return shared ? CG_TALLY_NO_MEMORY : own;
}

/* Rounds that observe. A member that has changed its address or its credential is somebody else, and what it was would
 * take up a place for months. */

enum { LOOKS_FOR_GONE = 64 /* many may come that find no place */ };

static bool is_gone(const struct cg_tally *tally, const struct cg_held_answer *held) {
    return !held->answer.is_notification || held->notified_us < tally->gone_us;
}

/* NULL: none, as far as it was looked for. */
static struct cg_held_answer *find_gone(struct cg_tally *tally) {
    for (int i = 0; tally->observes && tally->answers != NULL && i < LOOKS_FOR_GONE; i++) {
        struct cg_answer *at = tally->next_gone != NULL ? tally->next_gone : tally->answers;
        struct cg_held_answer *held = CG_CONTAINER(at, struct cg_held_answer, answer);
        tally->next_gone = at->next;
        if (is_gone(tally, held)) return held;
    }
    return NULL;
}

static bool keep_key(struct cg_tally *tally, struct cg_held_answer *entry, const struct cg_who *who) {
    entry->addr = who->addr;
    entry->hash = who->hash;
    entry->key =
        who->is_identity ? cg_arena_copy(tally->arena, who->key) : cg_slice_of(&entry->addr, sizeof entry->addr);
    return entry->key.data != NULL;
}

static struct cg_awaited *find_awaited(const struct cg_tally *tally, const struct cg_who *who) {
    struct cg_awaited *awaited;
    HASH_FIND_BYHASHVALUE(hh, tally->awaited, who->key.data, who->key.len, who->hash, awaited);
    return awaited;
}

static void give_place_back(struct cg_tally *tally, struct cg_awaited *awaited) {
    if (awaited == NULL || !awaited->holds_place) return;
    awaited->holds_place = false;
    tally->places--;
}

static void mark_unseen(struct cg_tally *tally, const struct cg_member *member) {
    if (member == NULL || !cg_member_set_has(tally->seen, member)) return;
    cg_member_set_put(tally->seen, member, false);
    tally->seen_count--;
}

/* What it says is still told to those who have yet to take it. */
static void forget(struct cg_tally *tally, struct cg_held_answer *held) {
    if (tally->replacing != NULL) tally->replacing(tally, held, CG_REPLACED_BY_ANSWER);
    cg_lookup_remove(&tally->by_who, held->hash, held);
    if (!tally->expects_one) mark_unseen(tally, held->answer.member);
    tally->failed -= cg_tallying_is_failure(held->answer.code);
    held->past_count = 0;
}

/* Its place among the answers, and its memory. False: there is not enough for what is to be kept there. */
static bool take_over(struct cg_tally *tally, struct cg_held_answer *gone, const struct cg_arrival *arrival,
                      const struct cg_who *who) {
    struct cg_held_answer next = {0};
    if (!make_room(tally, gone, size_of(arrival->opened)) || !keep_key(tally, &next, who)) return false;
    forget(tally, gone);
    gone->addr = next.addr;
    gone->hash = next.hash;
    gone->key = who->is_identity ? next.key : cg_slice_of(&gone->addr, sizeof gone->addr);
    return true;
}

static enum cg_tally_result begin_entry(struct cg_tally *tally, const struct cg_arrival *arrival,
                                        const struct cg_who *who, struct cg_held_answer *entry) {
    cg_tallying_fill(tally, entry, arrival);
    entry->news.answer = &entry->answer;
    entry->answer.member = who->member;
    if (!cg_lookup_add(&tally->by_who, who->hash, entry)) return cg_tally_drop_for_memory(tally, arrival);
    give_place_back(tally, find_awaited(tally, who)); /* it has one now */
    mark_seen(tally, entry->answer.member);
    if (tally->expects_one) tally->seen_count = 1;
    entry->answer.number = ++tally->numbered;
    tally->failed += cg_tallying_is_failure(entry->answer.code);
    return CG_TALLY_NEW;
}

void cg_tallying_list(struct cg_tally *tally, struct cg_held_answer *held) {
    if (tally->listed_answers++ == CG_ANSWERS_KEPT) tally->beyond = tally->last_answer;
    *tally->last_answer = &held->answer;
    tally->last_answer = &held->answer.next;
}

/* In the order in which they came. */
static void list_entry(struct cg_tally *tally, struct cg_held_answer *entry) {
    tally->answered++;
    cg_tallying_list(tally, entry);
}

/* Where one was let go, in its place. */
static struct cg_held_answer *take_memory(struct cg_tally *tally) {
    if (tally->spare == NULL) return cg_arena_zalloc(tally->arena, sizeof(struct cg_held_answer));
    struct cg_held_answer *entry = CG_CONTAINER(tally->spare, struct cg_held_answer, answer);
    tally->spare = entry->answer.next;
    *entry = (struct cg_held_answer){.room = entry->room, .room_cap = entry->room_cap};
    return entry;
}

struct cg_held_answer *cg_tallying_new(struct cg_tally *tally, const struct cg_arrival *arrival,
                                       const struct cg_who *who) {
    struct cg_held_answer *entry = take_memory(tally);
    bool is_made = entry != NULL && make_room(tally, entry, size_of(arrival->opened)) && keep_key(tally, entry, who);
    return is_made ? entry : NULL;
}

static enum cg_tally_result add_in_place(struct cg_tally *tally, const struct cg_arrival *arrival,
                                         const struct cg_who *who, struct cg_held_answer *gone) {
    if (!take_over(tally, gone, arrival, who)) return cg_tally_drop_for_memory(tally, arrival);
    return begin_entry(tally, arrival, who, gone);
}

static enum cg_tally_result add_first(struct cg_tally *tally, const struct cg_arrival *arrival,
                                      const struct cg_who *who, struct cg_held_answer **held) {
    bool is_full = tally->answered >= tally->mapping->max_answers;
    struct cg_held_answer *entry = is_full ? NULL : cg_tallying_new(tally, arrival, who);
    struct cg_held_answer *gone = entry == NULL ? find_gone(tally) : NULL;
    enum cg_tally_result result;
    if (gone != NULL) {
        result = add_in_place(tally, arrival, who, gone);
    } else if (entry != NULL) {
        result = begin_entry(tally, arrival, who, entry);
        if (result == CG_TALLY_NEW) list_entry(tally, entry);
    } else {
        return is_full ? dropped(tally, arrival, "max_answers") : cg_tally_drop_for_memory(tally, arrival);
    }
    if (result == CG_TALLY_NEW) *held = gone != NULL ? gone : entry;
    return result;
}

static bool is_same(const struct cg_held_answer *held, const struct cg_opened *opened) {
    return held->answer.code == opened->code && cg_slice_equal(held->answer.options, opened->options) &&
           cg_slice_equal(held->answer.payload, opened->payload);
}

/* A member with a new Sender ID counts from the beginning (RFC 10021 §2.6.3.1). */
static bool is_older(const struct cg_held_answer *held, const struct cg_arrival *arrival) {
    const struct cg_opened *opened = arrival->opened;
    bool numbered = held->has_piv && opened->has_number && cg_slice_equal(held->answer.kid, opened->kid);
    bool of_one_request = arrival->request == held->request;
    if (!numbered && of_one_request) return arrival->order != 0 && arrival->order < held->order;
    if (!numbered) return arrival->request < held->request;
    if (opened->generation != held->generation) return opened->generation < held->generation;
    return opened->number <= held->piv;
}

/* Retransmissions */

/* Of what is numbered protectors drop repetitions themselves: it is another message, whatever its Message ID. */
static bool is_retransmitted(const struct cg_held_answer *held, const struct cg_arrival *arrival) {
    const struct cg_opened *opened = arrival->opened;
    if (opened->has_number) return false;
    if (held->mid == arrival->mid && is_same(held, opened)) return true;
    if (held->past_count == 0) return false;
    uint32_t hash = cg_tallying_content(opened->code, opened->options, opened->payload);
    uint32_t kept = held->past_count < CG_PAST_MESSAGES ? held->past_count : CG_PAST_MESSAGES;
    for (uint32_t i = 0; i < kept; i++) {
        if (held->past[i].mid == arrival->mid && held->past[i].hash == hash) return true;
    }
    return false;
}

static void remember(struct cg_held_answer *held, uint16_t mid, uint32_t hash) {
    held->past[held->past_count++ % CG_PAST_MESSAGES] = (struct cg_past_message){.mid = mid, .hash = hash};
}

static void remember_held(struct cg_held_answer *held) {
    remember(held, held->mid, cg_tallying_content(held->answer.code, held->answer.options, held->answer.payload));
}

/* Further answers */

static enum cg_tally_result add_beside(struct cg_held_answer *held, const struct cg_arrival *arrival) {
    const struct cg_opened *opened = arrival->opened;
    remember(held, arrival->mid, cg_tallying_content(opened->code, opened->options, opened->payload));
    return CG_TALLY_BESIDE;
}

static void replace(struct cg_tally *tally, const struct cg_arrival *arrival, struct cg_held_answer *held,
                    enum cg_replacement by) {
    uint32_t ms = held->answer.ms;
    bool failed = cg_tallying_is_failure(held->answer.code);
    remember_held(held);
    if (tally->replacing != NULL) tally->replacing(tally, held, by);
    cg_tallying_fill(tally, held, arrival);
    held->answer.ms = ms; /* when the member first answered */
    tally->failed += (cg_tallying_is_failure(held->answer.code) ? 1u : 0u) - (failed ? 1u : 0u);
}

/* To a request that we have made again, it is what the client has heard. */
static enum cg_tally_result add_same(struct cg_tally *tally, const struct cg_arrival *arrival,
                                     struct cg_held_answer *held) {
    bool of_one_request = arrival->request == held->request;
    note_order(tally, held, arrival);
    if (!of_one_request) return CG_TALLY_AGAIN;
    remember_held(held);
    held->mid = arrival->mid;
    return CG_TALLY_SAME;
}

static enum cg_tally_result add_again(struct cg_tally *tally, const struct cg_arrival *arrival,
                                      struct cg_held_answer *held) {
    const struct cg_opened *opened = arrival->opened;
    bool is_late = opened->overtaken || is_older(held, arrival), says_the_same = is_same(held, opened);
    tally->duplicates++;
    if (arrival->ms < held->answer.ms) held->answer.ms = arrival->ms; /* its first block came before */
    if (is_retransmitted(held, arrival)) return CG_TALLY_AGAIN;
    if (is_late && says_the_same && arrival->request != held->request) return CG_TALLY_AGAIN;
    if (!is_late && says_the_same) return add_same(tally, arrival, held);
    if (is_late || !make_room(tally, held, size_of(opened))) return add_beside(held, arrival);
    replace(tally, arrival, held, CG_REPLACED_BY_ANSWER);
    return CG_TALLY_NEWER;
}

/* Notifications */

static bool are_numbered(const struct cg_held_answer *held, const struct cg_opened *opened) {
    return held->has_piv && opened->has_number && cg_slice_equal(held->answer.kid, opened->kid);
}

/* Some count from the beginning then, or are those that have begun anew. It is the one in which what was lost before
 * comes, so it is not for the notifications after it to say it. */
static bool is_first_since_registration(const struct cg_tally *tally, const struct cg_held_answer *held,
                                        const struct cg_arrival *arrival) {
    return held->notified_us < tally->registered_us || held->notified_us < held->registered_us ||
           held->notified_us < arrival->sent_us;
}

/* By their Partial IVs (RFC 8613 §7.4.1), else by what they say of their order. What is protected for the client itself
 * is that one's to put in order: what it says of it outside need not change (§4.1.3.5.2). */
static bool is_newer_notification(const struct cg_tally *tally, const struct cg_held_answer *held,
                                  const struct cg_arrival *arrival, const struct cg_notification *notification) {
    if (arrival->opened->overtaken) return false;
    if (tally->mapping->security == CG_SECURITY_RELAY) return !is_retransmitted(held, arrival);
    bool says_order = held->notification.is_observed && notification->is_observed;
    if (are_numbered(held, arrival->opened) || !says_order) return !is_older(held, arrival);
    if (is_first_since_registration(tally, held, arrival)) return !is_retransmitted(held, arrival);
    return cg_notification_is_newer(notification->order, arrival->arrival_us, held->notification.order,
                                    held->notified_us);
}

/* What a member says of what it sends, or that it sends no more: no duplicate of what it has said before. */
static enum cg_tally_result add_notification(struct cg_tally *tally, const struct cg_arrival *arrival,
                                             struct cg_held_answer *held, const struct cg_notification *notification) {
    const struct cg_opened *opened = arrival->opened;
    bool is_newer = is_newer_notification(tally, held, arrival, notification);
    if (is_newer && make_room(tally, held, size_of(opened))) {
        bool is_one = held->answer.is_notification && notification->is_observed;
        replace(tally, arrival, held, is_one ? CG_REPLACED_BY_NOTIFICATION : CG_REPLACED_BY_ANSWER);
        return CG_TALLY_NOTIFIED;
    }
    tally->duplicates++;
    if (is_same(held, opened)) note_notification(tally, held, arrival); /* it is fresh again */
    return is_newer ? add_beside(held, arrival) : CG_TALLY_AGAIN;
}

static struct cg_held_answer *find(const struct cg_tally *tally, const struct cg_who *who) {
    struct cg_held_answer *held;
    if (who->member != NULL && !cg_tally_has_seen(tally, who->member)) return NULL;
    for (uint32_t at = who->hash; (held = cg_lookup_next(&tally->by_who, who->hash, &at)) != NULL;) {
        if (cg_slice_equal(held->key, who->key)) return held;
    }
    return NULL;
}

enum cg_tally_result cg_tally_add(struct cg_tally *tally, const struct cg_arrival *arrival,
                                  struct cg_held_answer **held) {
    struct cg_who who;
    cg_who_decide(&who, tally->mapping, &arrival->from, arrival->opened->identity);
    struct cg_held_answer *found = find(tally, &who);
    struct cg_held_answer *ignored;
    const struct cg_notification notification = read_notification(tally, arrival);
    if (held == NULL) held = &ignored;
    if (found == NULL || !found->answer.is_notification) note_way(tally, arrival, &who);
    struct cg_told_answer *told = found == NULL ? cg_tallying_find_told(tally, &who) : NULL;
    if (told != NULL) return cg_tallying_add_to_told(tally, arrival, &who, told, held);
    if (found == NULL) return add_first(tally, arrival, &who, held);
    *held = found;
    if (!notification.is_observed && !found->answer.is_notification) return add_again(tally, arrival, found);
    return add_notification(tally, arrival, found, &notification);
}

/* What is to be awaited. */

/* As far as it matters for the order. */
static struct cg_held_answer as_held(struct cg_tally *tally, const struct cg_arrival *arrival) {
    struct cg_held_answer held = {.answer = {.kid = arrival->opened->kid}, .mid = arrival->mid};
    note_order(tally, &held, arrival);
    note_notification(tally, &held, arrival);
    return held;
}

static bool is_late_for(const struct cg_tally *tally, const struct cg_held_answer *held,
                        const struct cg_arrival *arrival) {
    const struct cg_notification notification = read_notification(tally, arrival);
    if (!notification.is_observed && !held->answer.is_notification)
        return arrival->opened->overtaken || is_older(held, arrival);
    return !is_newer_notification(tally, held, arrival, &notification);
}

struct cg_awaited *cg_tally_outdated(struct cg_tally *tally, const struct cg_arrival *arrival) {
    struct cg_who who;
    if (!tally->observes || tally->awaited == NULL) return NULL;
    cg_who_decide(&who, tally->mapping, &arrival->from, arrival->opened->identity);
    struct cg_awaited *awaited = find_awaited(tally, &who);
    if (awaited == NULL) return NULL;
    const struct cg_held_answer first = as_held(tally, awaited->arrival);
    return first.answer.is_notification && !is_late_for(tally, &first, arrival) ? awaited : NULL;
}

static bool is_full(const struct cg_tally *tally) {
    return tally->answered + tally->places >= tally->mapping->max_answers;
}

static void begin_awaiting(struct cg_tally *tally, struct cg_awaited *awaited, bool is_first) {
    awaited->holds_place = is_first;
    if (is_first) tally->places++;
    if (awaited->who.member != NULL) cg_member_set_put(tally->coming, awaited->who.member, true);
}

enum cg_tally_result cg_tally_await(struct cg_tally *tally, struct cg_arrival *arrival, struct cg_awaited *awaited) {
    struct cg_who *who = &awaited->who;
    cg_who_decide(who, tally->mapping, &arrival->from, arrival->opened->identity);
    arrival->order = ++tally->arrivals;
    note_way(tally, arrival, who);
    const struct cg_held_answer *held = find(tally, who);
    bool is_late = held != NULL && is_late_for(tally, held, arrival);
    if (is_late || find_awaited(tally, who) != NULL) {
        tally->duplicates++;
        return CG_TALLY_AGAIN;
    }
    bool is_first = held == NULL && cg_tallying_find_told(tally, who) == NULL;
    if (is_first && is_full(tally) && find_gone(tally) == NULL) return dropped(tally, arrival, "max_answers");
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, tally->awaited, who->key.data, who->key.len, who->hash, awaited);
    if (!CG_HASH_HAS(hh, awaited)) return cg_tally_drop_for_memory(tally, arrival);
    awaited->arrival = arrival;
    begin_awaiting(tally, awaited, is_first);
    return CG_TALLY_AWAITED;
}

/* A member whose zone was left out may answer on several links. */
static bool is_awaited(const struct cg_tally *tally, const struct cg_member *member) {
    if (member->addr.scope != 0 || !cg_addr_is_link_local(&member->addr)) return false;
    const struct cg_awaited *awaited = tally->awaited;
    while (awaited != NULL && awaited->who.member != member) awaited = awaited->hh.next;
    return awaited != NULL;
}

void cg_tally_forgo(struct cg_tally *tally, struct cg_awaited *awaited) {
    const struct cg_member *member = awaited->who.member;
    HASH_DEL(tally->awaited, awaited);
    give_place_back(tally, awaited);
    if (member != NULL && !is_awaited(tally, member)) cg_member_set_put(tally->coming, member, false);
}

static uint32_t lacks_members(const struct cg_tally *tally, double share) {
    double wanted = share * tally->expected;
    if (tally->expected == 0) return UINT32_MAX;
    if (wanted <= tally->seen_count) return 0;
    uint32_t whole = (uint32_t)wanted;
    return whole + (whole < wanted ? 1 : 0) - tally->seen_count;
}

uint32_t cg_tally_lacks(const struct cg_tally *tally) {
    const struct cg_finish *finish = &tally->finish;
    switch (finish->rule) {
    case CG_FINISH_DEADLINE: break;
    case CG_FINISH_ALL: return lacks_members(tally, 1);
    case CG_FINISH_QUORUM: return lacks_members(tally, finish->quorum);
    case CG_FINISH_COUNT: return finish->count > tally->answered ? finish->count - tally->answered : 0;
    }
    return UINT32_MAX;
}

bool cg_tally_is_finished(const struct cg_tally *tally, const char **ended_by) {
    const struct cg_finish *finish = &tally->finish;
    if (tally->awaited != NULL) return false;
    switch (finish->rule) {
    case CG_FINISH_DEADLINE: return false;
    case CG_FINISH_ALL: *ended_by = "all"; return tally->expected > 0 && tally->seen_count == tally->expected;
    case CG_FINISH_QUORUM:
        *ended_by = "quorum";
        return tally->expected > 0 && tally->seen_count >= finish->quorum * tally->expected;
    case CG_FINISH_COUNT: *ended_by = "count"; return tally->answered >= finish->count;
    }
    return false;
}

/* Silence. The hard thing: what is asked again may be done again, so whom a request may be repeated to depends on what
 * is proven about the member (RFC 10021 §7); and a group may have ten thousand members, of whom no turn of the loop
 * may look at all. */
#include "rounds/silence.h"

#include "base/container.h"
#include "model/known.h"
#include "rounds/again.h"
#include "rounds/asks.h"
#include "rounds/wake.h"

enum {
    ASKS_A_STEP = 8, /* so that their answers do not come at once */
    STEP_US = 10000,
    LOOKS_A_TURN = 512, /* members */
    PAUSE_US = 1000,
    TURN_LEAST_US = 2000000, /* a first request and its repetition */
    ROOM_PAUSE_US = 250000,
    LOOKS_A_TIME = 64, /* that all silent members are looked at while listening, at the most */
    ASKS_MAX = 3,      /* of a member in a round */
    ASKED = 0x80,      /* it is being asked, or is not to be asked any more; the other bits count its asks */
};

static uint64_t now_of(const struct cg_round *round) { return cg_round_engine(round)->now_us; }

static uint64_t earlier(uint64_t one, uint64_t other) { return one < other ? one : other; }

static void look_at(struct cg_round *round, uint64_t when_us) {
    cg_engine_set_timer(cg_round_engine(round), &round->repair.timer, when_us);
}

/* Time */

static uint64_t leisure_of(const struct cg_round *round) { return cg_mapping_leisure_us(round->mapping); }

/* Half of the time is left for asking them at least. */
static uint64_t first_until(const struct cg_round *round, uint64_t shortest_us) {
    return round->sent_us + earlier(leisure_of(round), shortest_us / 2);
}

/* Until the least patient of the waiters has had enough, or if that one has, the most patient. */
static uint64_t time_left(const struct cg_round *round) {
    uint64_t now_us = now_of(round), end_us = round->sent_us + round->silent.shortest_us;
    if (end_us <= now_us) end_us = round->deadline_us;
    return end_us > now_us ? end_us - now_us : 0;
}

static bool is_listening(const struct cg_round_silence *silent) {
    return silent->phase == CG_SILENT_LISTENING || silent->phase == CG_SILENT_LISTENING_AGAIN;
}

/* Between two looks. */
static uint64_t pause_of(const struct cg_round_silence *silent) {
    uint64_t pause_us = (silent->until_us - silent->since_us) / LOOKS_A_TIME;
    return pause_us > STEP_US ? pause_us : STEP_US;
}

/* Members */

static bool is_in(const uint8_t *set, const struct cg_member *member) {
    return set != NULL && cg_member_set_has(set, member);
}

/* False: out of memory. */
static bool put_in(struct cg_round *round, uint8_t **set, const struct cg_member *member) {
    if (*set == NULL) *set = cg_arena_zalloc(&round->arena, cg_member_set_size(round->mapping));
    if (*set == NULL) return false;
    cg_member_set_put(*set, member, true);
    return true;
}

/* NULL: out of memory. */
static uint8_t *asks_of(struct cg_round *round, const struct cg_member *member) {
    uint8_t **asks = &round->silent.asks;
    if (*asks == NULL) *asks = cg_arena_zalloc(&round->arena, round->mapping->member_count);
    return *asks == NULL ? NULL : &(*asks)[member->number];
}

static bool was_asked(const struct cg_round_silence *silent, const struct cg_member *member) {
    return silent->asks != NULL && (silent->asks[member->number] & ASKED) != 0;
}

static const struct cg_known *known_of(const struct cg_round *round, const struct cg_member *member) {
    const struct cg_knowns *knowns = round->rounds->knowns;
    return knowns == NULL ? NULL : cg_known_find(knowns, round->mapping, member);
}

/* Of what is learnt nothing counts where a request must not be repeated: the group request may reach it all the same.
 */
static bool is_out_of_reach(const struct cg_round *round, const struct cg_member *member,
                            const struct cg_known *known) {
    if (!round->silent.repairs) return member->is_unicast_only;
    return member->is_unicast_only || (known != NULL && cg_known_is_out_of_reach(known));
}

bool cg_silence_is_out_of_reach(const struct cg_round *round, const struct cg_member *member) {
    return is_out_of_reach(round, member, known_of(round, member));
}

/* When its silence means that something was lost. Before anybody has answered, that is no loss of its own. */
static uint64_t patience_ends(const struct cg_round *round, const struct cg_known *known) {
    const struct cg_round_silence *silent = &round->silent;
    uint64_t patience_us = known == NULL ? 0 : cg_known_patience_us(known);
    if (patience_us == 0 || !silent->repairs) return UINT64_MAX;
    uint64_t ends_us = silent->since_us + patience_us, soon_us = now_of(round) + pause_of(silent);
    return round->tally.reached_count > 0 || ends_us > soon_us ? ends_us : soon_us;
}

/* UINT64_MAX: not while listening. */
static uint64_t due_of(struct cg_round *round, const struct cg_member *member) {
    if (round->silent.phase == CG_SILENT_ASKING) return 0;
    const struct cg_known *known = known_of(round, member);
    if (is_out_of_reach(round, member, known)) return 0;
    round->silent.count++;
    return patience_ends(round, known);
}

static bool was_cast(const struct cg_round *round) {
    return round->state == CG_ROUND_GATHERS && round->only == NULL && !round->by_unicast;
}

/* The group request was out for as long as the member takes, by its own answer times or else at the most. */
static bool was_out_for(const struct cg_round *round, const struct cg_member *member) {
    const struct cg_known *known = known_of(round, member);
    uint64_t patience_us = known == NULL ? 0 : cg_known_patience_us(known), leisure_us = leisure_of(round);
    return now_of(round) - round->sent_us >= (patience_us > 0 ? earlier(patience_us, leisure_us) : leisure_us);
}

/* Once a round. */
static void note_silence(struct cg_round *round, const struct cg_member *member) {
    struct cg_knowns *knowns = round->rounds->knowns;
    bool is_reached = cg_tally_has_reached(&round->tally, member);
    if (knowns == NULL || round->mapping->is_unsaved || !was_cast(round) || is_reached ||
        is_in(round->silent.noted, member))
        return;
    if (!was_out_for(round, member) || !put_in(round, &round->silent.noted, member)) return;
    cg_known_note_silence(knowns, round->mapping, member);
}

static void ask(struct cg_round *round, const struct cg_member *member) {
    struct cg_problem ignored = {0}; /* it is one silent member more */
    struct cg_addr at;
    uint8_t *asks = asks_of(round, member);
    if (asks == NULL || !cg_protector_find(round->mapping->protector, member, &at)) return;
    unsigned earlier = *asks;
    *asks = (uint8_t)(earlier + 1) | ASKED;
    note_silence(round, member);
    cg_asks_member(round, member, &at, earlier, &ignored);
}

/* Looking at them */

static void begin_looking(struct cg_round *round, enum cg_silent_phase phase) {
    struct cg_round_silence *silent = &round->silent;
    silent->phase = phase;
    silent->next = 0;
    silent->count = 0;
    silent->again_us = UINT64_MAX;
    silent->is_to_insist = false;
}

/* How long one member may take while others wait: as many as are asked at once take turns in the time that is left. */
static uint64_t turn_of(const struct cg_round *round) {
    size_t silent = round->mapping->member_count - round->tally.seen_count, turns = silent / CG_ASKS_AT_ONCE + 1;
    uint64_t fair_us = time_left(round) / (turns + 1);
    return fair_us > TURN_LEAST_US ? fair_us : TURN_LEAST_US;
}

static struct cg_ask *oldest_of(const struct cg_round *round) {
    struct cg_ask *ask = round->repair.asks; /* in the order in which they were begun */
    while (ask != NULL && !ask->holds_place) ask = ask->next_of_owner;
    return ask;
}

/* Who has been asked for so long most likely is not there, or takes its time. */
static bool make_room(struct cg_round *round) {
    struct cg_ask *oldest = oldest_of(round);
    bool is_used_up = oldest != NULL && oldest->echo_len == 0 && now_of(round) - oldest->begun_us >= turn_of(round);
    if (!is_used_up) return false;
    cg_silence_note_vain(round, oldest);
    cg_asks_hush(round, oldest);
    return true;
}

/* Which the end of any request makes, or time; and when listening is over, there may be another way. */
static void wait_for_room(struct cg_round *round) {
    struct cg_round_silence *silent = &round->silent;
    uint64_t soon_us = now_of(round) + ROOM_PAUSE_US;
    silent->is_stuck = true;
    look_at(round, is_listening(silent) && silent->repairs ? earlier(silent->until_us, soon_us) : soon_us);
}

/* Goes on with the next members. False: not through yet, the rest follows. */
static bool look(struct cg_round *round) {
    struct cg_round_silence *silent = &round->silent;
    size_t asks = 0, last = silent->next + LOOKS_A_TURN;
    for (; silent->next < round->mapping->member_count; silent->next++) {
        const struct cg_member *member = &round->mapping->members[silent->next];
        if (silent->next == last) {
            look_at(round, now_of(round) + PAUSE_US);
            return false;
        }
        if (!cg_tally_is_silent(&round->tally, member)) continue;
        uint64_t due_us = due_of(round, member);
        if (was_asked(silent, member) || silent->phase == CG_SILENT_COUNTING) continue;
        if (due_us > now_of(round)) {
            silent->again_us = earlier(silent->again_us, due_us);
            continue;
        }
        if (!cg_round_has_room_for_silent(round) && !make_room(round)) {
            wait_for_room(round);
            return false;
        }
        if (asks++ == ASKS_A_STEP) {
            look_at(round, now_of(round) + STEP_US);
            return false;
        }
        ask(round, member);
    }
    return true;
}

/* The group once more */

/* What comes in blocks would begin to come so once more from everybody. */
static bool may_cast_again(const struct cg_round *round) {
    bool has_had_leisure = now_of(round) - round->silent.since_us >= leisure_of(round);
    return has_had_leisure && round->silent.repairs && !round->in_blocks;
}

static bool are_many(const struct cg_round *round) {
    size_t count = round->silent.count;
    return count >= 2 && count * 8 >= round->mapping->member_count;
}

/* Half of what is left is for asking; the other half for its turn, and for listening. */
static void cast_again(struct cg_round *round) {
    uint64_t now_us = now_of(round), left_us = time_left(round);
    round->silent.phase = CG_SILENT_WAITING;
    round->silent.half_us = now_us + left_us / 2;
    cg_again_begin(round, now_us + left_us / 4);
}

static void listen_again(struct cg_round *round, uint64_t sent_us) {
    struct cg_round_silence *silent = &round->silent;
    silent->since_us = sent_us;
    silent->until_us = earlier(sent_us + leisure_of(round), silent->half_us);
    begin_looking(round, CG_SILENT_LISTENING_AGAIN);
}

/* All of it */

static void go_on_listening(struct cg_round *round) {
    struct cg_round_silence *silent = &round->silent;
    uint64_t soon_us = now_of(round) + pause_of(silent);
    uint64_t again_us = silent->again_us > soon_us ? silent->again_us : soon_us;
    silent->next = 0;
    silent->count = 0;
    silent->again_us = UINT64_MAX;
    if (silent->repairs) {
        look_at(round, earlier(again_us, silent->until_us));
    } else {
        silent->phase = CG_SILENT_DONE; /* those who are out of reach were asked */
    }
}

/* What comes after listening, and after waiting. */
static void turn_page(struct cg_round *round) {
    struct cg_round_silence *silent = &round->silent;
    bool is_over = silent->repairs && now_of(round) >= silent->until_us;
    if (silent->phase == CG_SILENT_LISTENING && is_over) {
        begin_looking(round, may_cast_again(round) ? CG_SILENT_COUNTING : CG_SILENT_ASKING);
    } else if (silent->phase == CG_SILENT_LISTENING_AGAIN && is_over) {
        begin_looking(round, CG_SILENT_ASKING);
    } else if (silent->phase == CG_SILENT_WAITING && !cg_again_waits(round)) {
        uint64_t sent_us = cg_again_sent_us(round);
        if (sent_us > 0) {
            listen_again(round, sent_us);
        } else {
            begin_looking(round, CG_SILENT_ASKING);
        }
    }
}

static void insist(struct cg_round *round) {
    begin_looking(round, CG_SILENT_ASKING);
    look_at(round, now_of(round));
}

static void finish_asking(struct cg_round *round) {
    if (round->silent.is_to_insist) {
        insist(round);
        return;
    }
    round->silent.phase = CG_SILENT_DONE;
    cg_asks_settle(round);
}

/* All have been looked at. */
static void close_page(struct cg_round *round) {
    switch (round->silent.phase) {
    case CG_SILENT_LISTENING:
    case CG_SILENT_LISTENING_AGAIN: go_on_listening(round); break;
    case CG_SILENT_COUNTING:
        if (are_many(round)) {
            cast_again(round);
        } else {
            insist(round);
        }
        break;
    case CG_SILENT_ASKING: finish_asking(round); break;
    case CG_SILENT_NONE:
    case CG_SILENT_WAITING:
    case CG_SILENT_DONE: break;
    }
}

static void silence_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, repair.timer);
    const char *rule;
    (void)engine;
    if (!cg_round_is_wanted(round) || cg_round_is_finished(round, &rule)) return;
    turn_page(round);
    bool looks = round->silent.phase != CG_SILENT_WAITING && round->silent.phase != CG_SILENT_DONE;
    if (looks && look(round)) close_page(round);
}

/* Those who were asked in vain */

static bool may_insist(const struct cg_round *round) {
    bool is_idempotent = (CG_METHOD_BIT(round->method) & CG_METHODS_IDEMPOTENT) != 0;
    return is_idempotent && round->mapping->repair_unicast && round->mapping->security != CG_SECURITY_RELAY;
}

static bool is_in_time(const struct cg_round *round, const struct cg_ask *ask) {
    return now_of(round) + cg_endpoint_timeout_us(cg_round_engine(round), ask->turn.endpoint) < round->deadline_us;
}

void cg_silence_note_vain(struct cg_round *round, const struct cg_ask *ask) {
    struct cg_round_silence *silent = &round->silent;
    struct cg_who who;
    cg_who_decide(&who, round->mapping, &ask->leg.sending.to, ask->identity);
    if (who.member == NULL || !was_asked(silent, who.member) || !cg_tally_is_silent(&round->tally, who.member)) return;
    if (!may_insist(round) || !is_in_time(round, ask)) return;
    uint8_t *asks = asks_of(round, who.member);
    if (*asks == (ASKED | ASKS_MAX)) return;
    *asks &= (uint8_t)~ASKED;
    silent->is_to_insist = true;
    if (silent->phase == CG_SILENT_DONE) insist(round);
}

/* Beginning and end */

static bool names_unreachable(const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->member_count; i++) {
        if (mapping->members[i].is_unicast_only) return true;
    }
    return false;
}

void cg_silence_plan(struct cg_round *round, uint64_t shortest_us) {
    struct cg_round_silence *silent = &round->silent;
    silent->repairs = round->mapping->repair_unicast && cg_round_may_repeat(round);
    if (!silent->repairs && !names_unreachable(round->mapping)) return;
    silent->shortest_us = shortest_us;
    silent->since_us = round->sent_us;
    silent->until_us = first_until(round, shortest_us);
    begin_looking(round, CG_SILENT_LISTENING);
    round->repair.timer.due = silence_due;
    look_at(round, now_of(round));
}

void cg_silence_plan_all(struct cg_round *round) {
    begin_looking(round, CG_SILENT_ASKING);
    round->repair.timer.due = silence_due;
    look_at(round, now_of(round));
}

void cg_silence_hasten(struct cg_round *round, uint64_t timeout_us) {
    struct cg_round_silence *silent = &round->silent;
    bool is_in_time = silent->phase == CG_SILENT_LISTENING && silent->repairs && now_of(round) < silent->until_us;
    if (!is_in_time || timeout_us >= silent->shortest_us) return;
    silent->shortest_us = timeout_us;
    silent->until_us = first_until(round, timeout_us);
    look_at(round, now_of(round));
}

/* Of those who were asked it was made before their answers could come, which then tell that they are there. */
static void note_silent_ones(struct cg_round *round) {
    const struct cg_mapping *mapping = round->mapping;
    if (!was_cast(round) || round->rounds->knowns == NULL || cg_mapping_has_hop(mapping)) return;
    for (size_t i = 0; i < mapping->member_count; i++) note_silence(round, &mapping->members[i]);
}

void cg_silence_end(struct cg_round *round) {
    cg_engine_clear_timer(cg_round_engine(round), &round->repair.timer);
    note_silent_ones(round);
}

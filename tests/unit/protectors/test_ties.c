/* Requests on one token: an answer is opened to whichever of them it answers, counts once, and is in its member's
 * order. The hard thing: what joins requests is made by the test, in front of the protector, so that any two requests
 * may be tied. RFC 7641 §3.3.1, RFC 8613 §4.1.3.5, RFC 10021 §5.1, §5.3.1, §7.4, RFC 10020 §3.7. */
#include "fake_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "group_oscore/ties.h"

/* Stands before the group's protector: what is sealed next joins what was sealed before, and may be for one member. */
struct joiner {
    struct cg_protector protector;
    struct cg_protector_ops ops;
    struct cg_protector *behind;
    struct cg_binding *latest;
    bool joins;
    struct cg_slice identity; /* empty: the group */
};

static struct joiner *joiner_of(struct cg_protector *protector) {
    return CG_CONTAINER(protector, struct joiner, protector);
}

static int join_and_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job,
                         struct cg_buf *out, struct cg_binding **binding, struct cg_problem *problem) {
    struct joiner *joiner = joiner_of(protector);
    struct cg_sealing joined = *sealing;
    joined.joins = joiner->joins ? joiner->latest : NULL;
    joined.identity = joiner->identity;
    int err = joiner->behind->ops->seal(joiner->behind, &joined, job, out, binding, problem);
    if (err >= 0) joiner->latest = *binding;
    return err;
}

static int open_behind(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                       struct cg_opened *opened) {
    struct cg_protector *behind = joiner_of(protector)->behind;
    return behind->ops->open(behind, opening, job, opened);
}

static bool is_stale_behind(struct cg_protector *protector, const struct cg_binding *binding) {
    struct cg_protector *behind = joiner_of(protector)->behind;
    return behind->ops->is_stale(behind, binding);
}

static void left_behind(struct cg_protector *protector, const struct cg_binding *binding) {
    struct cg_protector *behind = joiner_of(protector)->behind;
    behind->ops->left(behind, binding);
}

static void release_behind(struct cg_protector *protector, struct cg_binding *binding) {
    struct cg_protector *behind = joiner_of(protector)->behind;
    behind->ops->release(behind, binding);
}

struct tied {
    struct room room;
    struct joiner joiner;
    struct call calls[8]; /* one a request */
    size_t asked;
};

static int setup(void **state) {
    struct tied *tied = calloc(1, sizeof *tied);
    assert_non_null(tied);
    *state = tied;
    struct side *side = &tied->room.side;
    room_init(&tied->room, fake_group_usual, CG_FINISH_DEADLINE);
    struct cg_mapping *lamps = world_mapping(&side->world, "lamps");
    tied->joiner.behind = cg_group_oscore_protector(side->lamps);
    tied->joiner.ops = (struct cg_protector_ops){.name = "joiner",
                                                 .seal = join_and_seal,
                                                 .open = open_behind,
                                                 .is_stale = is_stale_behind,
                                                 .left = left_behind,
                                                 .release = release_behind};
    tied->joiner.protector.ops = &tied->joiner.ops;
    lamps->protector = &tied->joiner.protector;
    lamps->timeout_us = lamps->max_timeout_us = 2000 * SECOND;
    side->world.config->group.nstart = 100;
    return 0;
}

static int teardown(void **state) {
    struct tied *tied = *state;
    for (size_t i = 0; i < tied->asked; i++) call_fini(&tied->calls[i]);
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&tied->room.lamps[i]);
    side_fini(&tied->room.side);
    free(tied);
    return 0;
}

#define tied_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Another request. Its index. */
static size_t ask(struct tied *tied, const char *path) {
    struct side *side = &tied->room.side;
    size_t before = side->world.sent_count;
    assert_true(tied->asked < sizeof tied->calls / sizeof *tied->calls);
    world_get(&side->world, &tied->calls[tied->asked++], path);
    while (side->store.count > 0) fake_store_grant(&side->store);
    side_settle(side);
    assert_int_equal(side->world.sent_count, before + 1);
    return before;
}

static size_t ask_first(struct tied *tied) {
    size_t index = ask(tied, "/lamps/1");
    tied->joiner.joins = true;
    return index;
}

enum { NOBODY = 9 }; /* without whom keys differ from those of before */

/* A member's answer to the request at `to`, on the token of the one at `on`. */
static struct answer_bytes seal_on(struct tied *tied, int lamp, size_t to, size_t on, const char *payload,
                                   struct style style) {
    struct reception reception = room_receive(&tied->room, lamp, to);
    reception.token = tied->room.side.world.sent[on].msg.token;
    return room_seal(&tied->room, lamp, &reception, payload, style);
}

static void deliver(struct tied *tied, int lamp, const struct answer_bytes *bytes) {
    side_deliver(&tied->room.side, lamp, bytes);
    side_settle(&tied->room.side);
}

static void answer_on(struct tied *tied, int lamp, size_t to, size_t on, const char *payload, struct style style) {
    struct answer_bytes bytes = seal_on(tied, lamp, to, on, payload, style);
    deliver(tied, lamp, &bytes);
}

/* That of the latest request. */
static const char *reply(struct tied *tied) {
    const struct call *call = &tied->calls[tied->asked - 1];
    for (int i = 0; call->replies == 0 && i < 30; i++) world_advance(&tied->room.side.world, 100 * SECOND);
    assert_int_equal(call->replies, 1);
    return call->text;
}

static void give_up(struct tied *tied, size_t request) {
    struct world *world = &tied->room.side.world;
    cg_gateway_abandon(world->gateway, tied->calls[request].ticket);
    world_run(world);
}

static const struct style numbered = {.numbered = true};

static void answers_to_either_request_are_opened(void **state) {
    struct tied *tied = *state;
    size_t one = ask_first(tied), two = ask(tied, "/lamps/2");
    answer_on(tied, 1, one, two, "did not hear the second", numbered);
    answer_on(tied, 2, two, two, "heard it", numbered);
    answer_on(tied, 3, two, two, "heard it, without a number", (struct style){0});
    const char *text = reply(tied);
    assert_counts(text, 3, 0);
    assert_has(text, "did not hear the second");
}

static void an_untied_request_has_answers_of_its_own(void **state) {
    struct tied *tied = *state;
    size_t one = ask_first(tied);
    tied->joiner.joins = false;
    size_t two = ask(tied, "/lamps/2");
    answer_on(tied, 1, one, two, "of the other", numbered);
    const char *text = reply(tied);
    assert_counts(text, 0, 1);
    assert_refused(text, "verification-failed", 1);
}

/* A member may know the first request alone, for months. */
static void a_request_is_open_after_its_binding_has_gone(void **state) {
    struct tied *tied = *state;
    size_t one = ask_first(tied), two = ask(tied, "/lamps/2");
    give_up(tied, one);
    answer_on(tied, 1, one, two, "still on", numbered);
    answer_on(tied, 2, two, two, "on", numbered);
    assert_counts(reply(tied), 2, 0);
}

static void an_answer_counts_once_whatever_it_is_opened_with(void **state) {
    struct tied *tied = *state;
    size_t one = ask_first(tied), two = ask(tied, "/lamps/2");
    struct answer_bytes first = seal_on(tied, 1, one, two, "on", numbered);
    struct answer_bytes second = seal_on(tied, 2, two, two, "on", numbered);
    for (int copy = 0; copy < 2; copy++) {
        deliver(tied, 1, &first);
        deliver(tied, 2, &second);
    }
    const char *text = reply(tied);
    assert_counts(text, 2, 2);
    assert_refused(text, "replayed", 2);
}

/* One without Partial IV answers each request, since each has a nonce of its own. */
static void an_answer_without_number_counts_once_a_request(void **state) {
    struct tied *tied = *state;
    size_t one = ask_first(tied), two = ask(tied, "/lamps/2");
    struct reception first = room_receive(&tied->room, 1, one), second = room_receive(&tied->room, 1, two);
    first.token = second.token;
    struct answer_bytes bytes[] = {room_seal(&tied->room, 1, &first, "first", (struct style){0}),
                                   room_seal(&tied->room, 1, &second, "second", (struct style){0})};
    deliver(tied, 1, &bytes[0]);
    deliver(tied, 1, &bytes[1]);
    deliver(tied, 1, &bytes[1]);
    deliver(tied, 1, &bytes[0]);
    const char *text = reply(tied);
    assert_counts(text, 1, 2);
    assert_has(text, "second");
    assert_has(text, "\"duplicates\":1,");
    assert_refused(text, "replayed", 2);
}

/* What a member said before it took the later request is older, whenever it comes; and after a while it is heard to
 * that alone, so that forgeries cost no more than one verification again. */
static void who_has_answered_the_later_request_is_older_in_the_earlier(void **state) {
    struct tied *tied = *state;
    struct side *side = &tied->room.side;
    size_t one = ask_first(tied), two = ask(tied, "/lamps/2");
    struct reception first = room_receive(&tied->room, 1, one), second = room_receive(&tied->room, 1, two);
    first.token = second.token;
    struct answer_bytes older[3];
    for (int i = 0; i < 3; i++) older[i] = room_seal(&tied->room, 1, &first, "older", numbered);
    struct answer_bytes newer = room_seal(&tied->room, 1, &second, "newer", (struct style){0});
    deliver(tied, 1, &older[0]);
    deliver(tied, 1, &newer);
    deliver(tied, 1, &older[1]);
    deliver(tied, 1, &older[1]);
    world_advance(&side->world, 248 * SECOND);
    size_t submitted = side->crypto.submitted;
    deliver(tied, 1, &older[2]);
    assert_int_equal(side->crypto.submitted, submitted + 1); /* to the later one; to the earlier one it is not tried */
    const char *text = reply(tied);
    assert_counts(text, 1, 2);
    assert_has(text, "newer");
    assert_refused(text, "replayed", 1);
    assert_refused(text, "verification-failed", 1);
}

/* RFC 10021 §7.4: to one request a member answers under one kid; to the next it may under another. */
static void a_new_sender_id_is_heard_to_the_next_request(void **state) {
    struct tied *tied = *state;
    struct side *side = &tied->room.side;
    size_t one = ask_first(tied);
    answer_on(tied, 1, one, one, "as before", numbered);
    struct fake_group renamed = side->keys;
    renamed.members[1].id[0] = 0x51;
    side_set_keys(side, side->lamps, &renamed, NOBODY, NULL);
    struct lamp lamp;
    lamp_init(&lamp, &renamed, 1);
    lamp.next = 5;
    size_t two = ask(tied, "/lamps/2");
    struct reception first = lamp_receive(&lamp, &side->world.sent[one]);
    struct reception second = lamp_receive(&lamp, &side->world.sent[two]);
    first.token = second.token;
    struct answer_bytes bytes = lamp_seal(&lamp, &first, "to the first", numbered);
    deliver(tied, 1, &bytes);
    bytes = lamp_seal(&lamp, &second, "to the second", numbered);
    deliver(tied, 1, &bytes);
    const char *text = reply(tied);
    assert_counts(text, 1, 1);
    assert_has(text, "to the second");
    assert_refused(text, "verification-failed", 1);
    lamp_fini(&lamp);
}

static void at_most_three_requests_are_open(void **state) {
    struct tied *tied = *state;
    char path[] = "/lamps/2";
    size_t first = ask_first(tied), latest = first;
    for (; path[7] <= '4'; path[7]++) latest = ask(tied, path);
    assert_int_equal(latest, first + 3);
    answer_on(tied, 1, first, latest, "the fourth latest", numbered);
    answer_on(tied, 2, first + 1, latest, "the third latest", numbered);
    const char *text = reply(tied);
    assert_counts(text, 1, 1);
    assert_has(text, "the third latest");
}

/* RFC 10020 §3.7: the member's notifications answer that request from now on, on the group's token. */
static void a_follow_up_to_one_member_is_open_for_it_alone(void **state) {
    struct tied *tied = *state;
    struct room *room = &tied->room;
    const struct cg_member *members = world_mapping(&room->side.world, "lamps")->members;
    size_t group = ask_first(tied);
    tied->joiner.identity = members[1].identity;
    size_t alone = ask(tied, "/lamps/2");
    tied->joiner.identity = CG_SLICE_NONE;
    struct reception followed = room_receive(room, 2, alone);
    struct answer_bytes bytes = room_seal(room, 2, &followed, "followed up", numbered);
    assert_int_not_equal(lamp_try(&room->lamps[1], &room->side.world.sent[alone]), CG_OK);
    deliver(tied, 2, &bytes);
    size_t last = ask(tied, "/lamps/3");
    give_up(tied, alone);
    followed.token = room->side.world.sent[last].msg.token;
    bytes = room_seal(room, 2, &followed, "in group mode, without kid", numbered);
    deliver(tied, 2, &bytes);
    bytes = room_seal(room, 2, &followed, "and pairwise", (struct style){.numbered = true, .pairwise = true});
    deliver(tied, 2, &bytes);
    deliver(tied, 1, &bytes); /* from elsewhere it is nobody's */
    answer_on(tied, 1, group, last, "of the group", numbered);
    const char *text = reply(tied);
    assert_counts(text, 2, 1);
    assert_has(text, "and pairwise");
    assert_has(text, "\"duplicates\":1,");
}

/* Each request's kid, Partial IV and kid context stay with it; members have new keys or not yet. */
static void a_rekey_ends_none_of_them(void **state) {
    struct tied *tied = *state;
    struct side *side = &tied->room.side;
    struct fake_group next = side->keys;
    struct lamp lamp;
    size_t one = ask_first(tied), two = ask(tied, "/lamps/2");
    struct reception first = room_receive(&tied->room, 1, one), second = room_receive(&tied->room, 2, two);
    first.token = second.token;
    struct answer_bytes bytes = room_seal(&tied->room, 1, &first, "before", numbered);
    deliver(tied, 1, &bytes);
    fake_group_rekey(&next);
    side_set_keys(side, side->lamps, &next, 3, NULL);
    for (int number = 1; number <= 2; number++) {
        lamp_init(&lamp, &next, number);
        bytes = lamp_seal(&lamp, number == 1 ? &first : &second, "under the new keys", numbered);
        deliver(tied, number, &bytes);
        lamp_fini(&lamp);
    }
    answer_on(tied, 3, two, two, "evicted", numbered);
    const char *text = reply(tied);
    assert_counts(text, 2, 1);
    assert_int_equal(count_of(text, "under the new keys"), 2);
    assert_refused(text, "evicted", 1);
}

/* What waits to be verified for a request that nobody wants any more goes; what waits for the others stays. */
static void who_waits_for_another_request_goes_on_waiting(void **state) {
    struct tied *tied = *state;
    struct side *side = &tied->room.side;
    size_t one = ask_first(tied), two = ask(tied, "/lamps/2");
    struct answer_bytes forged = seal_on(tied, 3, one, one, "forged", numbered);
    forged.data[forged.len - 1] ^= 1;
    for (int i = 0; i < 40; i++) side_deliver(side, 9, &forged); /* some at once, the others wait */
    struct answer_bytes genuine = seal_on(tied, 3, two, two, "on", numbered);
    side_deliver(side, 9, &genuine);
    assert_true(side->services.later.cast_count > 0);
    give_up(tied, one);
    side_settle(side);
    const char *text = reply(tied);
    assert_counts(text, 1, 0);
    assert_int_equal(side->services.later.cast_count, 0);
}

/* The bookkeeping alone. */

static struct cg_slice fingerprint_of(uint32_t number) {
    static uint8_t bytes[32];
    memcpy(bytes, &number, sizeof number);
    return cg_slice_of(bytes, sizeof bytes);
}

/* There is another binding that has them, from now on. */
static void join(struct cg_ties *ties) {
    struct cg_tied_request *first = cg_tied_request_new(CG_SLICE_NONE);
    assert_true(ties != NULL && first != NULL);
    (void)cg_ties_join(ties, first, 0);
    assert_false(first->listed); /* it has not gone out */
    cg_tied_request_unref(first);
}

static void a_request_that_nothing_joins_is_not_kept(void **state) {
    (void)state;
    struct cg_ties *ties = cg_ties_new();
    struct cg_tied_request *alone = cg_tied_request_new(fingerprint_of(1));
    assert_true(ties != NULL && alone != NULL);
    cg_ties_sent(ties, alone, SECOND);
    assert_int_equal(alone->number, 1);
    assert_null(ties->members);
    assert_ptr_equal(cg_ties_join(ties, alone, 2 * SECOND), ties);
    assert_ptr_equal(ties->members->alone->requests, alone);
    cg_tied_request_unref(alone);
    cg_ties_unref(ties);
    cg_ties_unref(ties);
}

static unsigned count_requests(const struct cg_tied_request *list) {
    unsigned count = 0;
    for (; list != NULL; list = list->older) count++;
    return count;
}

static void what_is_kept_of_a_member_is_bounded(void **state) {
    (void)state;
    struct cg_ties *ties = cg_ties_new();
    const struct cg_oscore_answers answers = {.known = true};
    join(ties);
    for (uint64_t hour = 0; hour < 24 * 365; hour++) { /* one asked alone each hour, and the group each day */
        struct cg_tied_request *request =
            cg_tied_request_new(hour % 24 == 0 ? CG_SLICE_NONE : fingerprint_of((uint32_t)(hour % 100)));
        assert_non_null(request);
        uint64_t now_us = (hour + 1) * 3600 * SECOND;
        char where[32];
        snprintf(where, sizeof where, "127.%u.%u.1:5683", (unsigned)(hour / 100 % 100), (unsigned)(hour % 100));
        struct cg_addr from = address(where); /* they move from network to network */
        cg_ties_sent(ties, request, now_us);
        cg_ties_sent(ties, request, now_us); /* again */
        assert_int_equal(request->number, hour + 1);
        struct cg_tied_member *member = cg_ties_member(ties, fingerprint_of((uint32_t)(hour % 100)));
        assert_non_null(member);
        assert_false(cg_ties_accept(ties, member, request, &answers, &from, now_us));
        cg_tied_request_unref(request);
    }
    unsigned members = 0;
    assert_int_equal(count_requests(ties->requests), CG_TIED_REQUESTS);
    for (const struct cg_tied_member *m = ties->members; m != NULL; m = m->next) {
        members++;
        if (m->alone != NULL) assert_in_range(count_requests(m->alone->requests), 0, CG_TIED_REQUESTS);
        uint32_t at = m->alone == NULL ? 0 : cg_ties_host_hash(&m->alone->at);
        if (m->alone != NULL) assert_ptr_equal(cg_ties_next_at(ties, &m->alone->at, &at), m);
    }
    assert_int_equal(members, 100);
    assert_in_range(ties->by_host.used, ties->alone_count, 2 * ties->alone_count + 1);
    cg_ties_unref(ties);
    cg_ties_unref(ties);
}

static void who_is_asked_without_an_answer_keeps_the_latest(void **state) {
    (void)state;
    struct cg_ties *ties = cg_ties_new();
    join(ties);
    for (int i = 0; i < 10; i++) {
        struct cg_tied_request *request = cg_tied_request_new(fingerprint_of(1));
        assert_non_null(request);
        cg_ties_sent(ties, request, SECOND);
        cg_tied_request_unref(request);
    }
    const struct cg_tied_member *member = cg_ties_find(ties, fingerprint_of(1));
    assert_non_null(member);
    uint64_t number = 10;
    for (const struct cg_tied_request *r = member->alone->requests; r != NULL; r = r->older)
        assert_int_equal(r->number, number--);
    assert_int_equal(number, 10 - CG_TIED_REQUESTS);
    cg_ties_unref(ties);
    cg_ties_unref(ties);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        tied_test(answers_to_either_request_are_opened),
        tied_test(an_untied_request_has_answers_of_its_own),
        tied_test(a_request_is_open_after_its_binding_has_gone),
        tied_test(an_answer_counts_once_whatever_it_is_opened_with),
        tied_test(an_answer_without_number_counts_once_a_request),
        tied_test(who_has_answered_the_later_request_is_older_in_the_earlier),
        tied_test(a_new_sender_id_is_heard_to_the_next_request),
        tied_test(at_most_three_requests_are_open),
        tied_test(a_follow_up_to_one_member_is_open_for_it_alone),
        tied_test(a_rekey_ends_none_of_them),
        tied_test(who_waits_for_another_request_goes_on_waiting),
        cmocka_unit_test(a_request_that_nothing_joins_is_not_kept),
        cmocka_unit_test(what_is_kept_of_a_member_is_bounded),
        cmocka_unit_test(who_is_asked_without_an_answer_keeps_the_latest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

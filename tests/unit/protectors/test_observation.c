/* A group observation with real keys: registered, renewed and cancelled on its token, followed up by unicast, through
 * rekeys, for months. What the round decides the test does. RFC 7641 §3.3.1, RFC 8613 §4.1.3.5, RFC 10021 §5.1, §7.3,
 * RFC 10020 §3.7; R39, R54, R55. */
#include "fake_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "group_oscore/binding.h"
#include "legs/ask.h"
#include "legs/cast.h"

struct watch {
    struct room room;
    struct fake_group keys; /* the latest */
    struct cg_opt observe;
    struct cg_leg_request registration, cancellation;
    struct cg_cast *cast;
    struct cg_ask *ask;
    unsigned sent, unsent, ended, strays, overtaken, answers, refused;
    char payload[64], reason[32]; /* the latest */
    struct reception heard[LAMPS + 1];
};

/* Hearing */

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    (void)engine;
    ((struct watch *)leg->owner)->sent++;
}

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct watch *watch = leg->owner;
    const struct cg_opened *opened = arrival->opened;
    assert_int_equal(opened->verified, CASTGATE_VERIFIED_SOURCE);
    if (opened->overtaken) watch->overtaken++;
    if (!opened->overtaken) watch->answers++;
    assert_true(opened->payload.len < sizeof watch->payload);
    memcpy(watch->payload, opened->payload.data, opened->payload.len);
    watch->payload[opened->payload.len] = '\0';
    if (leg->kind->type != CG_CON) return;
    watch->ask = NULL;
    cg_ask_end(engine, cg_ask_of(leg));
}

static void on_challenge(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    (void)engine, (void)leg, (void)arrival;
    fail_msg("nobody challenges");
}

static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    struct watch *watch = leg->owner;
    (void)engine, (void)from, (void)opened;
    watch->refused++;
    snprintf(watch->reason, sizeof watch->reason, "%s", reason);
}

static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    (void)engine, (void)problem;
    ((struct watch *)leg->owner)->ended++;
}

static void on_unsent(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    (void)engine, (void)problem;
    ((struct watch *)leg->owner)->unsent++;
}

static void on_stray(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from) {
    (void)engine, (void)from;
    ((struct watch *)leg->owner)->strays++;
}

static bool is_wanted(const struct cg_leg *leg) {
    (void)leg;
    return true;
}

static const struct cg_leg_ops ops = {.sent = on_sent,
                                      .answer = on_answer,
                                      .challenge = on_challenge,
                                      .refused = on_refused,
                                      .ended = on_ended,
                                      .unsent = on_unsent,
                                      .stray = on_stray,
                                      .is_wanted = is_wanted};

/* Sending */

static struct world *world_of(struct watch *watch) { return &watch->room.side.world; }
static struct cg_engine *engine_of(struct watch *watch) { return cg_gateway_engine(world_of(watch)->gateway); }

static void settle(struct watch *watch) {
    struct side *side = &watch->room.side;
    for (int i = 0; i < 3; i++) {
        while (side->store.count > 0) fake_store_grant(&side->store);
        side_settle(side);
    }
}

/* Those lamps hear what went out last. */
static void hear(struct watch *watch, unsigned lamps) {
    struct world *world = world_of(watch);
    for (int i = 1; i <= LAMPS; i++) {
        if ((lamps & 1u << i) == 0) continue;
        watch->heard[i] = room_receive(&watch->room, i, world->sent_count - 1);
    }
}

enum { ONE = 1 << 1, TWO = 1 << 2, THREE = 1 << 3, ALL = ONE | TWO | THREE };

static struct cg_leg_order order_of(struct watch *watch) {
    struct world *world = world_of(watch);
    struct cg_mapping *mapping = world_mapping(world, "lamps");
    mapping->stats = cg_stats_get(cg_gateway_stats(world->gateway), "lamps");
    return (struct cg_leg_order){.ops = &ops,
                                 .owner = watch,
                                 .config = world->config,
                                 .mapping = mapping,
                                 .target = &mapping->targets[0],
                                 .request = &watch->registration};
}

static void begin(struct watch *watch) {
    struct cg_engine *engine = engine_of(watch);
    const struct cg_leg_order order = order_of(watch);
    struct cg_problem problem = {0};
    watch->cast = cg_cast_new(engine, &order, engine->now_us + 4 * SECOND, &problem);
    assert_non_null(watch->cast);
    cg_cast_go(engine, watch->cast);
    settle(watch);
    assert_int_equal(watch->sent, 1);
}

static void renew(struct watch *watch, const struct cg_leg_request *request) {
    struct cg_engine *engine = engine_of(watch);
    unsigned sent = watch->sent;
    cg_cast_renew(engine, watch->cast, request, engine->now_us + 4 * SECOND);
    settle(watch);
    assert_int_equal(watch->sent, sent + 1);
}

static void follow_up(struct watch *watch, int lamp) {
    struct cg_leg_order order = order_of(watch);
    struct cg_problem problem = {0};
    char where[32];
    snprintf(where, sizeof where, "127.1.0.%d", lamp);
    struct cg_addr to = address(where);
    order.shares = &watch->cast->leg;
    watch->ask = cg_ask_new(engine_of(watch), &order, &to, order.mapping->members[lamp - 1].identity, &problem);
    assert_non_null(watch->ask);
    cg_ask_go(engine_of(watch), watch->ask);
    settle(watch);
}

/* Notifying */

enum { GROUP_MODE, PAIRWISE };

static struct answer_bytes notification(struct watch *watch, int lamp, const char *payload, int mode) {
    static struct cg_opt observe = {.number = CG_OPT_OBSERVE};
    static const struct cg_opts options = {.list = &observe, .count = 1};
    struct style style = {.numbered = true, .pairwise = mode == PAIRWISE, .options = &options};
    return room_seal(&watch->room, lamp, &watch->heard[lamp], payload, style);
}

static void deliver(struct watch *watch, int lamp, const struct answer_bytes *bytes) {
    side_deliver(&watch->room.side, lamp, bytes);
    settle(watch);
}

static void notify(struct watch *watch, int lamp, const char *payload, int mode) {
    struct answer_bytes bytes = notification(watch, lamp, payload, mode);
    deliver(watch, lamp, &bytes);
}

static void assert_heard(struct watch *watch, int lamp, const char *payload, int mode) {
    unsigned answers = watch->answers, refused = watch->refused;
    notify(watch, lamp, payload, mode);
    if (watch->refused != refused) fail_msg("lamp %d: %s", lamp, watch->reason);
    assert_int_equal(watch->answers, answers + 1);
    assert_string_equal(watch->payload, payload);
}

/* Keys */

static void take_new_keys(struct watch *watch, unsigned lamps) {
    for (int i = 1; i <= LAMPS; i++) {
        if ((lamps & 1u << i) == 0) continue;
        lamp_fini(&watch->room.lamps[i]);
        lamp_init(&watch->room.lamps[i], &watch->keys, i);
    }
}

static void rekey(struct watch *watch, int without) {
    fake_group_rekey(&watch->keys);
    side_set_keys(&watch->room.side, watch->room.side.lamps, &watch->keys, without, NULL);
}

static int setup(void **state) {
    static const uint8_t one = 1;
    static struct cg_opt cancels = {.number = CG_OPT_OBSERVE, .value = {.data = &one, .len = 1}};
    struct watch *watch = calloc(1, sizeof *watch);
    assert_non_null(watch);
    room_init(&watch->room, fake_group_usual, CG_FINISH_DEADLINE);
    world_run(world_of(watch));
    watch->keys = watch->room.side.keys;
    watch->observe = (struct cg_opt){.number = CG_OPT_OBSERVE};
    watch->registration = (struct cg_leg_request){
        .method = CG_GET, .expects_answers = true, .observes = true, .options = {.list = &watch->observe, .count = 1}};
    watch->cancellation = watch->registration;
    watch->cancellation.cancels = true;
    watch->cancellation.options.list = &cancels;
    begin(watch);
    *state = watch;
    return 0;
}

static int teardown(void **state) {
    struct watch *watch = *state;
    if (watch->ask != NULL) cg_ask_end(engine_of(watch), watch->ask);
    cg_cast_end(engine_of(watch), watch->cast);
    assert_int_equal(watch->ended, 0);
    for (int i = 1; i <= LAMPS; i++) lamp_fini(&watch->room.lamps[i]);
    side_fini(&watch->room.side);
    free(watch);
    return 0;
}

#define watch_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Tests */

static void notifications_are_in_order_and_count_once(void **state) {
    struct watch *watch = *state;
    hear(watch, ALL);
    struct answer_bytes first = notification(watch, 1, "first", GROUP_MODE);
    struct answer_bytes second = notification(watch, 1, "second", GROUP_MODE);
    deliver(watch, 1, &second);
    deliver(watch, 1, &first);
    deliver(watch, 1, &first);
    deliver(watch, 1, &second);
    assert_int_equal(watch->answers, 1);
    assert_int_equal(watch->overtaken, 1);
    assert_int_equal(watch->refused, 2);
    assert_string_equal(watch->reason, "replayed");
}

static void a_renewal_that_a_member_has_missed_changes_nothing_for_it(void **state) {
    struct watch *watch = *state;
    hear(watch, ALL);
    world_advance(world_of(watch), 60 * SECOND);
    renew(watch, &watch->registration);
    hear(watch, ONE | TWO);
    assert_heard(watch, 1, "renewed", GROUP_MODE);
    assert_heard(watch, 2, "renewed", PAIRWISE);
    assert_heard(watch, 3, "as before", GROUP_MODE);
    assert_heard(watch, 3, "as before, pairwise", PAIRWISE);
}

/* RFC 10020 §3.7: by unicast, on the token; afterwards its notifications answer that request. */
static void a_follow_up_registers_one_member_for_good(void **state) {
    struct watch *watch = *state;
    hear(watch, ONE | TWO);
    assert_heard(watch, 1, "of the group", GROUP_MODE);
    follow_up(watch, 3);
    hear(watch, THREE);
    assert_heard(watch, 3, "the response", PAIRWISE);
    assert_null(watch->ask);
    assert_heard(watch, 3, "without kid", PAIRWISE);
    assert_heard(watch, 3, "in group mode", GROUP_MODE);
    world_advance(world_of(watch), 3600 * SECOND);
    renew(watch, &watch->registration);
    hear(watch, TWO);
    assert_heard(watch, 3, "long after", PAIRWISE);
    assert_heard(watch, 2, "renewed", GROUP_MODE);
}

static unsigned count_epochs(const struct cg_group_oscore *group) {
    const struct cg_epoch *epoch;
    unsigned count = 0;
    DL_COUNT(group->epochs, epoch, count);
    return count;
}

/* R55: nothing that is evicted is heard; whoever has not the new keys yet is, for 500 s. */
static void a_rekey_is_survived(void **state) {
    struct watch *watch = *state;
    struct cg_protector *protector = cg_group_oscore_protector(watch->room.side.lamps);
    const uint64_t renewals = protector->renewals;
    hear(watch, ALL);
    assert_heard(watch, 1, "before", PAIRWISE);
    assert_false(cg_leg_is_stale(&watch->cast->leg));
    rekey(watch, 3);
    assert_true(cg_leg_is_stale(&watch->cast->leg)); /* a renewal is due, and both say so */
    assert_int_equal(protector->renewals, renewals + 1);
    assert_heard(watch, 1, "old keys", GROUP_MODE);
    notify(watch, 1, "old pairwise keys are deleted", PAIRWISE);
    assert_int_equal(watch->refused, 1);
    notify(watch, 3, "evicted", GROUP_MODE);
    assert_string_equal(watch->reason, "evicted");
    take_new_keys(watch, TWO);
    assert_heard(watch, 2, "new keys", GROUP_MODE);
    assert_heard(watch, 2, "new keys, pairwise", PAIRWISE);
    world_advance(world_of(watch), 501 * SECOND);
    notify(watch, 1, "too late", GROUP_MODE);
    assert_int_equal(watch->refused, 3);
    assert_int_equal(count_epochs(watch->room.side.lamps), 1); /* its keys are gone */
    assert_true(cg_leg_is_stale(&watch->cast->leg));
    take_new_keys(watch, ONE);
    assert_heard(watch, 1, "now it has them", GROUP_MODE);
    renew(watch, &watch->registration);
    assert_false(cg_leg_is_stale(&watch->cast->leg));
    hear(watch, ONE | TWO);
    assert_heard(watch, 1, "renewed", PAIRWISE);
    assert_heard(watch, 2, "renewed", GROUP_MODE);
}

static void prepared_keys_are_heard_before_they_are_in_use(void **state) {
    struct watch *watch = *state;
    struct side *side = &watch->room.side;
    struct fake_group before = watch->keys;
    hear(watch, ALL);
    assert_heard(watch, 1, "before", GROUP_MODE);
    fake_group_rekey(&watch->keys);
    side_set_keys(side, side->lamps, &before, 0, &watch->keys);
    assert_false(cg_leg_is_stale(&watch->cast->leg));
    take_new_keys(watch, ONE);
    assert_heard(watch, 1, "ahead", GROUP_MODE);
    assert_heard(watch, 2, "not yet", GROUP_MODE);
    side_set_keys(side, side->lamps, &watch->keys, 0, NULL);
    assert_true(cg_leg_is_stale(&watch->cast->leg));
    assert_heard(watch, 1, "in use", GROUP_MODE);
    assert_heard(watch, 2, "late", GROUP_MODE);
}

/* The response to it is bound to it, and has no Observe; whoever has missed it still notifies, and is told so. */
static void a_cancellation_is_one_more_request(void **state) {
    struct watch *watch = *state;
    hear(watch, ALL);
    assert_heard(watch, 1, "on", GROUP_MODE);
    renew(watch, &watch->cancellation);
    hear(watch, ONE);
    struct answer_bytes bytes = room_seal(&watch->room, 1, &watch->heard[1], "the last", (struct style){0});
    deliver(watch, 1, &bytes);
    assert_int_equal(watch->answers, 2);
    notify(watch, 3, "has missed it", GROUP_MODE);
    assert_int_equal(watch->strays, 1);
    assert_int_equal(watch->answers, 2);
}

/* Notifications each day, a renewal that one of three misses, a forgery; new keys each month. Nothing is refused but
 * the forgeries, and nothing grows. */
static void months_of_it_silence_nobody_and_grow_nothing(void **state) {
    struct watch *watch = *state;
    hear(watch, ALL);
    for (unsigned day = 0; day < 120; day++) {
        char payload[16];
        snprintf(payload, sizeof payload, "day %u", day);
        world_advance(world_of(watch), 12 * 3600 * SECOND);
        if (day % 30 == 29) {
            rekey(watch, 0);
            take_new_keys(watch, ALL);
        }
        struct answer_bytes forged = notification(watch, 1 + (int)(day % LAMPS), "forged", GROUP_MODE);
        forged.data[forged.len - 1] ^= 1;
        unsigned refused = watch->refused;
        deliver(watch, 9, &forged);
        assert_int_equal(watch->refused, refused + 1);
        for (int lamp = 1; lamp <= LAMPS; lamp++) {
            assert_heard(watch, lamp, payload, GROUP_MODE);
            assert_heard(watch, lamp, payload, PAIRWISE);
        }
        world_advance(world_of(watch), 12 * 3600 * SECOND);
        renew(watch, &watch->registration);
        hear(watch, ALL & ~(1u << (1 + day % LAMPS)));
    }
    const struct cg_ties *ties = watch->cast->leg.sending.binding->ties;
    unsigned members = 0, requests = 0;
    for (const struct cg_tied_member *m = ties->members; m != NULL; m = m->next) members++;
    for (const struct cg_tied_request *r = ties->requests; r != NULL; r = r->older) requests++;
    assert_int_equal(members, LAMPS);
    assert_int_equal(requests, CG_TIED_REQUESTS);
    assert_in_range(ties->references, 1, 2);
    assert_in_range(count_epochs(watch->room.side.lamps), 1, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watch_test(notifications_are_in_order_and_count_once),
        watch_test(a_renewal_that_a_member_has_missed_changes_nothing_for_it),
        watch_test(a_follow_up_registers_one_member_for_good),
        watch_test(a_rekey_is_survived),
        watch_test(prepared_keys_are_heard_before_they_are_in_use),
        watch_test(a_cancellation_is_one_more_request),
        watch_test(months_of_it_silence_nobody_and_grow_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

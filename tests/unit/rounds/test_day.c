/* A day in which a thousand clients watch a hundred members, which change now and then: one is switched off and comes
 * back without knowing us, one leaves for good, notifications are lost, one has not heard the registration, and keys
 * change. What is
 * kept does not grow, every client hears every notification, and nothing goes upstream but registrations. */
#include "exchange/fake_keys.h"
#include "rounds/fake_observer.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CLIENTS = 1000,
    MEMBERS = 100,
    HOURS = 24,
    STEP_S = 60,
    CHANGES_EVERY = 100, /* steps, of each member */
    DEAF = 3,            /* hears no multicast before the second registration */
    REBOOTS = 5,         /* in the third hour, and is deaf to us until it is registered */
    LEAVES = 7,          /* in the fifth hour */
    LOSSY = 9,           /* every other notification of it is lost */
};

struct member {
    char address[CG_ADDR_TEXT_MAX];
    uint32_t order;
    bool knows_us;
};

struct day {
    struct world *world;
    struct fake_keys keys;
    struct member members[MEMBERS];
    struct observer *clients;
    size_t heard;  /* emissions that members have looked at */
    unsigned told; /* notifications that arrived */
    unsigned registrations, casts;
};

static void say(struct day *day, unsigned i) {
    struct member *member = &day->members[i];
    member->order++;
    if (i == LOSSY && member->order % 2 == 0) return;
    notify_for(day->world, 0, member->address, member->order, 7200, "on");
    day->told++;
}

static bool is_for(const struct day *day, const struct emission *emission, unsigned i) {
    const struct cg_addr to = address(day->members[i].address);
    bool is_cast = cg_addr_is_multicast(&emission->route.to);
    if (i == DEAF && day->casts <= 1) return !is_cast && cg_addr_same_host(&to, &emission->route.to);
    return is_cast || cg_addr_same_host(&to, &emission->route.to);
}

/* As the loop would, which is a few exchanges at a time. */
static void advance(struct day *day, uint64_t by_us) {
    struct world *world = day->world;
    uint64_t end_us = world->now_us + by_us;
    for (uint64_t next_us; (next_us = cg_gateway_run(world->gateway, world->now_us)) <= end_us;) {
        if (next_us > world->now_us) world->now_us = next_us;
    }
    world->now_us = end_us;
}

static void settle(struct day *day) { advance(day, 0); }

/* All members hear what has been sent since they last looked. */
static void hear(struct day *day) {
    for (; day->heard < day->world->sent_count; day->heard++) {
        const struct emission *emission = &day->world->sent[day->heard];
        uint32_t observe = 99;
        assert_true(cg_msg_find_uint(&emission->msg, CG_OPT_OBSERVE, &observe));
        assert_memory_equal(emission->msg.token.bytes, day->world->sent[0].msg.token.bytes, 8);
        if (observe != 0) continue;
        day->registrations++;
        day->casts += cg_addr_is_multicast(&emission->route.to);
        for (unsigned i = 0; i < MEMBERS; i++) {
            if (i == LEAVES && day->members[i].order > 1000) continue;
            if (!is_for(day, &day->world->sent[day->heard], i)) continue;
            day->members[i].knows_us = true;
            say(day, i);
        }
        settle(day); /* or else a second word of a member may take the place of its first */
    }
}

static void pass_step(struct day *day, unsigned step) {
    for (unsigned i = step % CHANGES_EVERY; i < MEMBERS; i += CHANGES_EVERY) {
        if (day->members[i].knows_us) say(day, i);
    }
    settle(day);
    for (unsigned s = 0; s < STEP_S; s += 10) {
        advance(day, 10 * SECOND);
        hear(day);
        settle(day);
    }
}

static void be_gone(struct day *day) {
    day->members[LEAVES].order = 2000;
    world_answer_as(day->world, 0, day->members[LEAVES].address,
                    (struct answer){.type = CG_NON, .code = CG_CODE(4, 4), .mid = 9, .payload = "gone"});
    day->members[LEAVES].knows_us = false;
    settle(day);
}

static void begin(struct day *day) {
    struct cg_mapping *lamps = world_mapping(day->world, "lamps");
    world_add_members(day->world, lamps, MEMBERS);
    fake_keys_init(&day->keys);
    lamps->protector = &day->keys.protector;
    lamps->repair_unicast = true;
    lamps->timeout_us = 30 * SECOND;
    day->world->config->limits.observers = 2 * CLIENTS;
    for (unsigned i = 0; i < MEMBERS; i++) snprintf(day->members[i].address, CG_ADDR_TEXT_MAX, "127.1.0.%u", i + 1);
    for (unsigned i = 0; i < CLIENTS; i++) observe(day->world, &day->clients[i], "/lamps");
    assert_int_equal(day->world->sent_count, 1); /* for a thousand */
    hear(day);
    settle(day);
}

static void test_a_day(void **state) {
    struct day day = {.world = *state};
    struct world *world = day.world;
    size_t used_after_two_hours = 0;
    day.clients = calloc(CLIENTS, sizeof *day.clients);
    assert_non_null(day.clients);
    begin(&day);
    for (unsigned step = 0; step < HOURS * 3600 / STEP_S; step++) {
        if (step == 180) day.members[REBOOTS].knows_us = false;
        if (step == 300) be_gone(&day);
        if (step == 601) day.keys.epoch++;
        pass_step(&day, step);
        if (step == 300) used_after_two_hours = world->gateway->quota.used;
    }
    const struct cg_stats *stats = world_mapping(world, "lamps")->stats;
    assert_int_equal(world->gateway->quota.used, used_after_two_hours);
    assert_true(day.members[DEAF].knows_us);
    assert_true(day.members[REBOOTS].knows_us);
    assert_int_equal(cg_gateway_observers(world->gateway), CLIENTS);
    assert_int_equal(cg_gateway_observations(world->gateway), 1);
    /* Each is told every notification, and the word of the one that leaves. */
    for (unsigned i = 0; i < CLIENTS; i++) assert_int_equal(day.clients[i].answers, day.told + 1);
    assert_int_equal(stats->duplicate, 0);
    assert_int_equal(stats->renewals[CG_RENEWAL_REKEY], 1);
    assert_int_equal(stats->notifications, day.told + 1 - MEMBERS);
    print_message("a day: %u clients, %u members, %u notifications, %u deliveries, %u registrations (%u of them cast; "
                  "periodic %u, stale %u, single %u, silence %u), %zu bytes\n",
                  CLIENTS, MEMBERS, day.told, day.told * CLIENTS, day.registrations, day.casts,
                  (unsigned)stats->renewals[CG_RENEWAL_PERIOD], (unsigned)stats->renewals[CG_RENEWAL_STALE],
                  (unsigned)stats->renewals[CG_RENEWAL_MEMBER], (unsigned)stats->renewals[CG_RENEWAL_SILENCE],
                  world->gateway->quota.used);
    for (unsigned i = 0; i < CLIENTS; i++) cg_gateway_abandon(world->gateway, day.clients[i].ticket);
    settle(&day);
    advance(&day, 100 * SECOND);
    assert_null(world->gateway->rounds.all);
    assert_int_equal(world->gateway->quota.used, 0);
    assert_int_equal(day.keys.bindings, 0);
    world_mapping(world, "lamps")->protector = cg_protector_none();
    free(day.clients);
}

int main(void) {
    const struct CMUnitTest tests[] = {world_test(test_a_day)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The hard thing is the order of what happens at the same time: what was done knows how many words were said before. */
#include "exchange/recording.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"

struct act {
    struct act *next;
    uint64_t at_us;
    uint32_t after; /* words */
    void (*act)(const char *who, const char *what);
    char *who, *what;
};

static struct recording *of(struct cg_transcript_tap *tap) { return CG_CONTAINER(tap, struct recording, tap); }

static struct cg_transcript *take(struct cg_transcript_tap *tap, const struct cg_leg *leg) {
    (void)leg;
    return &of(tap)->transcript;
}

static void give_back(struct cg_transcript_tap *tap, const struct cg_leg *leg) { (void)tap, (void)leg; }

static void on_admitted(struct cg_tap *tap, const struct cg_wish *wish) {
    struct recording *recording = CG_CONTAINER(tap, struct recording, tap.tap);
    cg_transcript_put_admitted(&recording->transcript, wish, cg_engine_now(recording->tap.engine));
}

static void on_sign(struct cg_tap *tap, const struct cg_addr *addr, enum cg_sign sign) {
    struct recording *recording = CG_CONTAINER(tap, struct recording, tap.tap);
    cg_transcript_put_sign(&recording->transcript, addr, sign, cg_engine_now(recording->tap.engine));
}

void recording_init(struct recording *recording) {
    *recording = (struct recording){.last = &recording->first};
    cg_transcript_init(&recording->transcript, 0, SIZE_MAX);
    recording->transcript.keeps_payloads = true;
}

void recording_listen(struct recording *recording, struct cg_engine *engine) {
    cg_transcript_tap_init(&recording->tap, engine);
    recording->tap.take = take;
    recording->tap.give_back = give_back;
    recording->tap.tap.admitted = on_admitted;
    recording->tap.tap.sign = on_sign;
    cg_tap_add(engine, &recording->tap.tap);
}

void recording_add(struct recording *recording, uint64_t at_us, void (*act)(const char *who, const char *what),
                   const char *who, const char *what) {
    struct act *added = calloc(1, sizeof *added);
    assert_non_null(added);
    *added = (struct act){.at_us = at_us, .after = recording->transcript.count, .act = act};
    added->who = strdup(who);
    added->what = strdup(what);
    *recording->last = added;
    recording->last = &added->next;
}

void recording_fini(struct recording *recording) {
    for (struct act *next; recording->first != NULL; recording->first = next) {
        struct act *act = recording->first;
        next = act->next;
        free(act->who);
        free(act->what);
        free(act);
    }
    cg_transcript_fini(&recording->transcript);
}

static void go_to(struct cg_telling *telling, struct world *world, uint64_t at_us) {
    cg_telling_hold(telling);
    if (at_us > world->now_us) world_advance(world, at_us - world->now_us);
}

/* What is recorded for it and has no leg any more can only be its end. */
static void say(struct cg_telling *telling, struct world *world, const struct cg_said *said) {
    go_to(telling, world, (uint64_t)said->at_us);
    enum cg_told told = cg_telling_say(telling, said);
    bool is_end = said->word == CG_WORD_ENDED || said->word == CG_WORD_UNSENT;
    if (told != CG_TOLD && !(is_end && told == CG_TOLD_TO_NOBODY))
        fail_msg("%s of leg %u is not as it was: %d", cg_word_names[said->word], said->leg, (int)told);
    world_run(world);
}

static const struct act *do_acts(struct cg_telling *telling, struct world *world, const struct act *act,
                                 uint32_t after) {
    for (; act != NULL && act->after == after; act = act->next) {
        go_to(telling, world, act->at_us);
        if (act->act != NULL) act->act(act->who, act->what);
        world_run(world);
    }
    return act;
}

void recording_tell(const struct recording *recording, struct world *world, struct cg_mute *mute) {
    struct cg_telling telling;
    struct cg_transcript_reading reading;
    struct cg_said said;
    uint32_t told = 0;
    cg_telling_begin(&telling, cg_gateway_engine(world->gateway), mute, 0);
    cg_transcript_read(&reading, &recording->transcript);
    const struct act *act = do_acts(&telling, world, recording->first, 0);
    while (cg_transcript_next(&reading, &said)) {
        say(&telling, world, &said);
        act = do_acts(&telling, world, act, ++told);
    }
    assert_int_equal(told, recording->transcript.count);
    assert_false(telling.has_admitted);
    assert_false(reading.failed || telling.failed);
    cg_transcript_read_fini(&reading);
    cg_telling_end(&telling);
}

#include "reply/fake_teller.h"

#include <stdio.h>
#include <string.h>

const char *teller_gives_up_at = "";

static int say(const struct castgate_host *host, struct castgate_call *call, const char *what,
               const struct castgate_answer *answer) {
    const struct castgate_summary *summary = host->summary(call);
    char text[4096];
    int len = snprintf(text, sizeof text, "%s answered=%u ms=%u by=%s", what, summary->answered, summary->ms,
                       summary->ended_by);
    if (answer != NULL) {
        len += snprintf(text + len, sizeof text - (size_t)len, " %.*s", (int)answer->payload.len,
                        answer->payload.len == 0 ? "" : (const char *)answer->payload.data);
    }
    text[len++] = '\n';
    if (strcmp(what, teller_gives_up_at) == 0) return -1;
    return host->write(call, (struct castgate_slice){.data = text, .len = (size_t)len}) ? 0 : -1;
}

static int say_begin(const struct castgate_host *host, struct castgate_call *call) {
    host->content_type(call, (struct castgate_slice){.data = "text/told;v=1", .len = 13});
    return say(host, call, "begin", NULL);
}
static int say_answer(const struct castgate_host *host, struct castgate_call *call,
                      const struct castgate_answer *answer) {
    return say(host, call, "answer", answer);
}
static int say_idle(const struct castgate_host *host, struct castgate_call *call) {
    return say(host, call, "idle", NULL);
}
static int say_end(const struct castgate_host *host, struct castgate_call *call) {
    return say(host, call, "end", NULL);
}

const struct castgate_encoder teller = {
    .media_type = "text/told", .begin = say_begin, .answer = say_answer, .idle = say_idle, .end = say_end};

void prepare(struct world *world) {
    teller_gives_up_at = "";
    world->config->group.nstart = 100; /* every cast may go at once */
    world->config->group.probing_burst = 1000000;
}

void stream_with(struct world *world, struct call *call, const char *path, const struct castgate_encoder *encoder) {
    assert_non_null(world_new(world, call, path));
    call->encoder = encoder;
    world_go(world, call);
}

void stream(struct world *world, struct call *call, const char *path) {
    stream_with(world, call, path, &teller);
    assert_int_equal(call->replies, 1);
    assert_non_null(call->stream);
}

void answer_now(struct world *world, size_t index, const char *from, const char *payload) {
    world_answer(world, index, from, payload);
    world_run(world);
}

const struct cg_stats *stats_of(struct world *world, const char *mapping) {
    return cg_stats_get(cg_gateway_stats(world->gateway), mapping);
}

void end(struct world *world, struct call *call) {
    assert_int_equal(call->replies + call->problems, 1);
    call_fini(call);
    assert_int_equal(cg_gateway_running(world->gateway), 0);
    assert_int_equal(world->gateway->quota.used, 0);
}

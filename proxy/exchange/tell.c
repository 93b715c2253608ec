/* What an exchange says to its sink. The hard thing: a sink takes no more than it has room for, so answers wait here,
 * of each member the latest; and the end is said once, however an exchange ends. */
#include "exchange/state.h"

static void summarise(const struct cg_gateway *gateway, const struct cg_exchange *exchange,
                      struct castgate_summary *summary) {
    const struct cg_tally *tally = &exchange->tally;
    uint64_t drops = gateway->port->kernel_drops(gateway->port->ctx) - exchange->drops_before;
    bool ended = exchange->ended_us != 0;
    *summary = (struct castgate_summary){
        .answered = tally->answered,
        .failed = tally->failed,
        .missing = cg_tally_missing(tally),
        .late = tally->late,
        .duplicates = tally->duplicates,
        .rejected = tally->rejected,
        .expected = (uint32_t)exchange->mapping->member_count,
        .kernel_drops = (uint32_t)drops,
        .ms = (uint32_t)(((ended ? exchange->ended_us : gateway->now_us) - exchange->sent_us) / 1000),
        .joined_ms = (uint32_t)((exchange->joined_us + 999) / 1000),
        .ended_by = ended ? exchange->ended_by : "",
    };
}

static void look_at(const struct cg_gateway *gateway, const struct cg_exchange *exchange, struct cg_view *view) {
    *view = (struct cg_view){
        .exchange = exchange->id,
        .config = exchange->config,
        .mapping = exchange->mapping,
        .tally = exchange->tallying ? &exchange->tally : NULL,
        .summary = {.ended_by = ""},
        .now_us = gateway->now_us,
        .expects_answers = exchange->timeout_us > 0,
    };
    if (exchange->tallying) summarise(gateway, exchange, &view->summary);
}

static void tell_held(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    for (struct cg_held_answer *held = exchange->tally.answers; held != NULL; held = held->hh.next) {
        cg_tell_answer(gateway, exchange, held);
    }
}

bool cg_tell_begin(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    struct cg_sink *sink = exchange->sink;
    if (sink->ops->begin == NULL || exchange->timeout_us == 0) return true;
    struct cg_view view;
    look_at(gateway, exchange, &view);
    if (sink->ops->begin(sink, &view, &exchange->problem) < 0) return false;
    exchange->telling = true;
    exchange->last_unsent = &exchange->unsent;
    tell_held(gateway, exchange); /* of targets that were sent to before the others */
    return true;
}

void cg_tell_answer(struct cg_gateway *gateway, struct cg_exchange *exchange, struct cg_held_answer *held) {
    cg_gateway_wake(gateway, exchange);
    if (held->unsent) return; /* what it says now is what will be told */
    held->unsent = true;
    held->next_unsent = NULL;
    *exchange->last_unsent = held;
    exchange->last_unsent = &held->next_unsent;
}

static struct cg_held_answer *next_unsent(struct cg_exchange *exchange) {
    struct cg_held_answer *held = exchange->unsent;
    exchange->unsent = held->next_unsent;
    if (exchange->unsent == NULL) exchange->last_unsent = &exchange->unsent;
    held->unsent = false;
    return held;
}

void cg_tell_cut(struct cg_exchange *exchange) {
    exchange->cut = true;
    exchange->mapping->stats->streams_cut++;
}

/* It takes nothing more: because something went wrong, or because nobody takes anything from it. */
static void close_for(struct cg_exchange *exchange, const struct cg_problem *problem) {
    if (problem->err < 0) {
        exchange->cut = true;
        exchange->problem = *problem;
    } else {
        cg_tell_cut(exchange);
    }
}

uint64_t cg_tell_turn(struct cg_gateway *gateway, struct cg_exchange *exchange) {
    if (exchange->cut) return UINT64_MAX;
    struct cg_sink *sink = exchange->sink;
    struct cg_problem problem = {0};
    struct cg_view view;
    int err = CG_OK;
    look_at(gateway, exchange, &view);
    while (err == CG_OK && exchange->unsent != NULL && sink->ops->has_room(sink)) {
        err = sink->ops->answer(sink, &view, next_unsent(exchange), &problem);
    }
    uint64_t again_us = err < 0 ? CG_SINK_CLOSED : sink->ops->look(sink, &view, &problem);
    if (again_us != CG_SINK_CLOSED) return again_us;
    close_for(exchange, &problem);
    return UINT64_MAX;
}

bool cg_tell_is_done(const struct cg_exchange *exchange) {
    return exchange->unsent == NULL && exchange->sink->ops->has_room(exchange->sink);
}

static void say_end(struct cg_exchange *exchange, const struct cg_view *view, enum cg_sink_end how,
                    struct cg_sink_ending *ending) {
    struct cg_sink *sink = exchange->sink;
    exchange->sink = NULL; /* it may be freed */
    sink->ops->end(sink, view, how, &exchange->problem, ending);
}

unsigned cg_tell_end(struct cg_gateway *gateway, struct cg_exchange *exchange, struct castgate_summary *summary) {
    struct cg_sink_ending ending = {0};
    struct cg_view view;
    look_at(gateway, exchange, &view);
    say_end(exchange, &view, exchange->cut ? CG_SINK_CUT : CG_SINK_DONE, &ending);
    exchange->cut = exchange->cut || ending.cut;
    *summary = view.summary;
    return ending.status;
}

void cg_tell_nobody(struct cg_exchange *exchange) {
    struct cg_sink_ending ending = {0};
    if (exchange->sink != NULL) say_end(exchange, NULL, CG_SINK_LEFT, &ending);
}

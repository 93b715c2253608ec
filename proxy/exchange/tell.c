/* What an exchange says to its sink. The hard thing: a sink takes no more than it has room for, so answers wait in the
 * round's feed; and the end is said once, however an exchange ends. */
#include "exchange/exchange.h"

#include "rounds/cached.h"
#include "rounds/evidence.h"
#include "rounds/wake.h"

/* Where more may be there than are configured, nobody knows how many there are. */
static uint32_t count_expected(const struct cg_tally *tally) {
    return tally->mapping->complete || tally->expects_one ? tally->expected : 0;
}

static void summarise(const struct cg_exchange *exchange, const struct cg_tally *tally,
                      struct castgate_summary *summary) {
    const struct cg_waiter *waiter = &exchange->waiter;
    bool ended = exchange->ended_us != 0;
    uint64_t until_us = ended ? exchange->ended_us : exchange->gateway->engine.now_us;
    *summary = (struct castgate_summary){
        .answered = tally->answered,
        .failed = tally->failed,
        .missing = cg_tally_missing(tally),
        .late = tally->late,
        .duplicates = tally->duplicates,
        .rejected = tally->rejected,
        .expected = count_expected(tally),
        .kernel_drops = waiter->drops,
        .ms = cg_whole_ms(until_us - waiter->sent_us),
        .joined_ms = (uint32_t)((waiter->joined_us + 999) / 1000),
        .ended_by = ended && exchange->ended_by != NULL ? exchange->ended_by : "",
    };
}

void cg_tell_look(const struct cg_exchange *exchange, struct cg_view *view) {
    struct cg_round *round = exchange->waiter.round;
    *view = (struct cg_view){
        .exchange = exchange->id,
        .config = exchange->config,
        .mapping = exchange->mapping,
        .member = exchange->member,
        .request = &exchange->request,
        .summary = {.ended_by = ""},
        .now_us = exchange->gateway->engine.now_us,
        .expects_answers = exchange->waiter.timeout_us > 0,
    };
    if (round == NULL) return;
    view->answers = round->tally.answers;
    view->refusals = round->tally.refusals;
    view->answered = round->tally.seen;
    view->shelf = &round->shelf;
    view->is_shared = round->waiters->next != NULL;
    view->is_busy = cg_round_is_busy(round);
    view->has_group_etag = cg_cached_tag(round, view->group_etag);
    view->is_valid = view->has_group_etag && cg_cached_is_known(round, &exchange->request, view->group_etag);
    summarise(exchange, &round->tally, &view->summary);
    if (exchange->ended_us == 0) return;
    cg_evidence_review(round);
    view->signs = (struct cg_signs){
        .of = round->evidence.of,
        .common = cg_evidence_common(round) | (view->summary.kernel_drops > 0 ? CG_SIGN_KERNEL_DROP : 0),
    };
}

static void count_causes(struct cg_exchange *exchange, const struct cg_view *view) {
    size_t count;
    if (view->summary.missing == 0) return;
    const struct cg_member *members = cg_mapping_awaited(exchange->mapping, exchange->member, &count);
    for (size_t i = 0; i < count; i++) {
        if (!cg_tally_has_seen(&exchange->waiter.round->tally, &members[i]))
            exchange->missing[cg_cause_of_member(&view->signs, &members[i])]++;
    }
}

static enum cg_following following_of(const struct cg_sink_ops *ops) {
    if (ops->beginning != NULL) return CG_FOLLOW_BEGINNINGS;
    return ops->refused != NULL ? CG_FOLLOW_REFUSALS : CG_FOLLOW_ANSWERS;
}

bool cg_tell_begin(struct cg_exchange *exchange) {
    struct cg_sink *sink = exchange->sink;
    if (sink->ops->begin == NULL || exchange->waiter.timeout_us == 0) return true;
    struct cg_view view;
    cg_tell_look(exchange, &view);
    if (sink->ops->begin(sink, &view, &exchange->problem) < 0) return false;
    exchange->telling = true;
    cg_round_follow(&exchange->waiter, following_of(sink->ops));
    return true;
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

static int tell_news(const struct cg_exchange *exchange, const struct cg_view *view, const struct cg_news *news,
                     struct cg_problem *problem) {
    struct cg_sink *sink = exchange->sink;
    if (!cg_news_is_for(news, &exchange->waiter.reader)) return CG_OK;
    if (news->is_beginning)
        return sink->ops->beginning == NULL ? CG_OK : sink->ops->beginning(sink, view, news->answer, problem);
    if (news->refusal == NULL) return sink->ops->answer(sink, view, news->answer, problem);
    return sink->ops->refused == NULL ? CG_OK : sink->ops->refused(sink, view, news->answer, problem);
}

uint64_t cg_tell_turn(struct cg_exchange *exchange) {
    if (exchange->cut) return UINT64_MAX;
    struct cg_sink *sink = exchange->sink;
    struct cg_reader *reader = &exchange->waiter.reader;
    struct cg_problem problem = {0};
    struct cg_view view;
    int err = CG_OK;
    cg_tell_look(exchange, &view);
    while (err == CG_OK && reader->untold != NULL && sink->ops->has_room(sink, CG_SINK_ANSWER)) {
        err = tell_news(exchange, &view, reader->untold, &problem);
        if (err == CG_OK) cg_reader_took(reader);
    }
    bool is_closed = err < 0 || reader->lost;
    uint64_t again_us = is_closed ? CG_SINK_CLOSED : sink->ops->look(sink, &view, &problem);
    if (again_us != CG_SINK_CLOSED) return again_us;
    close_for(exchange, &problem);
    return UINT64_MAX;
}

bool cg_tell_is_done(const struct cg_exchange *exchange) {
    return exchange->waiter.reader.untold == NULL && exchange->sink->ops->has_room(exchange->sink, CG_SINK_END);
}

static void say_end(struct cg_exchange *exchange, const struct cg_view *view, enum cg_sink_end how,
                    struct cg_sink_ending *ending) {
    struct cg_sink *sink = exchange->sink;
    exchange->sink = NULL; /* it may be freed */
    sink->ops->end(sink, view, how, &exchange->problem, ending);
}

unsigned cg_tell_end(struct cg_exchange *exchange, struct castgate_summary *summary) {
    struct cg_sink_ending ending = {0};
    struct cg_view view;
    cg_tell_look(exchange, &view);
    say_end(exchange, &view, exchange->cut ? CG_SINK_CUT : CG_SINK_DONE, &ending);
    exchange->cut = exchange->cut || ending.cut;
    count_causes(exchange, &view);
    *summary = view.summary;
    return ending.status;
}

void cg_tell_nobody(struct cg_exchange *exchange) {
    struct cg_sink_ending ending = {0};
    if (exchange->sink != NULL) say_end(exchange, NULL, CG_SINK_LEFT, &ending);
}

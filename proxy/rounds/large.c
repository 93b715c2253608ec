/* Large requests. The hard thing: each member is asked for itself and takes its time, so many are under way at once,
 * no more than a round may have, and the round is over when nobody is left, whatever its time. */
#include "rounds/large.h"

#include "base/container.h"
#include "rounds/asks.h"
#include "rounds/hearsay.h"
#include "rounds/intake.h"
#include "rounds/wake.h"

#include <stdlib.h>
#include <utlist.h>

static struct cg_transfer *of_upload(struct cg_upload *upload) {
    return CG_CONTAINER(upload, struct cg_transfer, upload);
}

static struct cg_round *round_of(struct cg_upload *upload) { return of_upload(upload)->part.round; }

/* May it be? */

static bool has_addressee(const struct cg_mapping *mapping) {
    struct cg_addr at;
    for (size_t i = 0; i < mapping->member_count; i++) {
        if (cg_protector_find(mapping->protector, &mapping->members[i], &at)) return true;
    }
    return false;
}

static int refuse_multicast(const struct cg_wish *wish, struct cg_problem *problem) {
    const struct cg_mapping *mapping = wish->mapping;
    size_t len = wish->request->payload.len, most = cg_upload_most(mapping);
    if (!mapping->repair_large_requests) {
        return cg_problem_set(problem, CG_E_TOO_BIG,
                              "%zu bytes are too many for a multicast, which takes %zu; with \"repair\": "
                              "{\"large_requests\": true} mapping %s sends them to each configured member by unicast, "
                              "in blocks",
                              len, most, mapping->name);
    }
    return cg_problem_set(problem, CG_E_TOO_BIG,
                          "%zu bytes are too many for a multicast, which takes %zu, and mapping %s has no configured "
                          "members that they could go to by unicast",
                          len, most, mapping->name);
}

int cg_large_check(const struct cg_wish *wish, const struct cg_member *only, struct cg_problem *problem) {
    const struct cg_mapping *mapping = wish->mapping;
    size_t most = cg_upload_most(mapping) * CG_BLOCK_NUMBERS;
    if (!cg_shape_is_large(mapping, wish->request->payload)) return CG_OK;
    if (wish->request->payload.len > most) {
        return cg_problem_set(problem, CG_E_TOO_BIG, "blocks of mapping %s carry %zu bytes at most (block_size)",
                              mapping->name, most);
    }
    if (only != NULL) return CG_OK;
    if (!mapping->repair_large_requests || mapping->member_count == 0 || cg_mapping_has_hop(mapping))
        return refuse_multicast(wish, problem);
    if (wish->timeout_us == 0) {
        return cg_problem_set(problem, CG_E_NO_TIMEOUT,
                              "what goes to members in blocks takes its time, so Multicast-Timeout must not be 0");
    }
    if (has_addressee(mapping)) return CG_OK;
    return cg_problem_set(problem, CG_E_EMIT,
                          "where the members of mapping %s are is not known: no \"address\" is configured, and none "
                          "has answered since the gateway started",
                          mapping->name);
}

/* What uploads tell. */

static void on_sent(struct cg_engine *engine, struct cg_upload *upload) {
    struct cg_round *round = round_of(upload);
    if (round->asked) return;
    round->asked = true;
    cg_round_start_clock(round, engine->now_us);
}

static void on_answer(struct cg_engine *engine, struct cg_upload *upload, const struct cg_arrival *arrival) {
    struct cg_round *round = round_of(upload);
    const struct cg_arrival timed = cg_arrival_after(arrival, round->sent_us);
    (void)engine;
    cg_round_take(&of_upload(upload)->part, &timed);
    cg_round_request_ended(round);
}

static void on_refused(struct cg_engine *engine, struct cg_upload *upload, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    (void)engine;
    cg_hearsay_refuse(round_of(upload), &upload->ask->leg, from, opened, reason);
}

/* The last one ends, and nothing has gone to anybody: then why is what is to be said. */
static void say_failure(struct cg_round *round) {
    bool is_last = round->repair.running == 1 && round->large.next >= round->mapping->member_count;
    if (is_last && !round->asked) round->problem = round->repair.failed;
}

static void on_ended(struct cg_engine *engine, struct cg_upload *upload, const struct cg_problem *problem) {
    struct cg_round *round = round_of(upload);
    (void)engine;
    cg_asks_note_end(round, problem);
    say_failure(round);
    cg_round_request_ended(round);
}

static bool is_wanted(const struct cg_upload *upload) {
    return cg_round_is_wanted(CG_CONTAINER(upload, const struct cg_transfer, upload)->part.round);
}

static const struct cg_upload_ops upload_ops = {
    .sent = on_sent, .answer = on_answer, .refused = on_refused, .ended = on_ended, .is_wanted = is_wanted};

/* Beginning. */

/* NULL, with *problem. */
static struct cg_transfer *new_transfer(struct cg_round *round, const struct cg_member *member,
                                        const struct cg_addr *at, struct cg_problem *problem) {
    struct cg_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    transfer->part = round->parts[0];
    struct cg_upload_plan plan = {.order = cg_part_order(&transfer->part),
                                  .to = cg_asks_at(round, at),
                                  .identity = member->identity,
                                  .is_stranger = round->only_is_stranger};
    if (cg_upload_init(cg_round_engine(round), &transfer->upload, &upload_ops, &plan, problem)) {
        transfer->part.request = &transfer->upload.request;
        return transfer;
    }
    free(transfer);
    return NULL;
}

static void send_to(struct cg_round *round, const struct cg_member *member, const struct cg_addr *at) {
    struct cg_problem problem = {.retry_after = 1};
    struct cg_transfer *transfer = new_transfer(round, member, at, &problem);
    if (transfer == NULL) {
        cg_asks_note_end(round, &problem);
        return;
    }
    DL_APPEND2(round->large.transfers, transfer, previous, next);
    round->repair.running++;
    cg_upload_go(cg_round_engine(round), &transfer->upload);
}

static void send_to_members(struct cg_round *round) {
    const struct cg_mapping *mapping = round->mapping;
    struct cg_large *large = &round->large;
    struct cg_addr at;
    while (large->next < mapping->member_count && cg_round_has_room(round)) {
        const struct cg_member *member = &mapping->members[large->next++];
        if (cg_protector_find(mapping->protector, member, &at)) send_to(round, member, &at);
    }
}

static void large_due(struct cg_engine *engine, struct cg_timer *timer) {
    struct cg_round *round = CG_CONTAINER(timer, struct cg_round, repair.timer);
    (void)engine;
    round->large.begun = true;
    if (round->only == NULL) {
        send_to_members(round);
    } else {
        round->large.next = round->mapping->member_count;
        send_to(round, round->only, &round->only_at);
    }
    if (cg_round_is_exhausted(round)) cg_round_wake_all(round);
}

void cg_large_plan(struct cg_round *round) {
    struct cg_engine *engine = cg_round_engine(round);
    round->repair.timer.due = large_due;
    cg_engine_set_timer(engine, &round->repair.timer, engine->now_us);
}

const struct cg_ask *cg_large_ask(const struct cg_round *round) {
    const struct cg_transfer *transfer = round->large.transfers;
    while (transfer != NULL && transfer->upload.ask == NULL) transfer = transfer->next;
    return transfer == NULL ? NULL : transfer->upload.ask;
}

/* Ends. */

void cg_large_end(struct cg_round *round) {
    struct cg_transfer *transfer;
    DL_FOREACH(round->large.transfers, transfer) {
        if (transfer->upload.ask == NULL) continue;
        cg_upload_fini(cg_round_engine(round), &transfer->upload);
        cg_round_request_ended(round);
    }
}

void cg_large_fini(struct cg_round *round) {
    while (round->large.transfers != NULL) {
        struct cg_transfer *transfer = round->large.transfers;
        DL_DELETE2(round->large.transfers, transfer, previous, next);
        cg_upload_fini(cg_round_engine(round), &transfer->upload);
        free(transfer);
    }
}

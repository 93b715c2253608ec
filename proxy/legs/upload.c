/* Uploads. The hard thing: a response may be lost after the member has taken the block, and not every member knows one
 * that it has already; so 4.08 (Request Entity Incomplete) to a block that was asked twice may mean that it has it, and
 * the next one is tried before all is begun again. */
#include "legs/upload.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    BEGINNINGS = 5, /* of one upload: members forget, ask for smaller blocks, or say 4.08 */
    CHALLENGES = 4, /* of one block: whoever has started again meanwhile challenges again */
    MORE_OPTIONS = 3,
    PAYLOAD_MOST = 1024, /* RFC 7252 §4.6 */
};

size_t cg_upload_most(const struct cg_mapping *mapping) {
    bool is_smaller = mapping->block_size > 0 && mapping->block_size < PAYLOAD_MOST;
    return is_smaller ? mapping->block_size : PAYLOAD_MOST;
}

static struct cg_upload *of_leg(const struct cg_leg *leg) { return leg->owner; }

/* Blocks as requests. */

static size_t block_size(const struct cg_upload *upload) { return (size_t)16 << upload->szx; }

static size_t left(const struct cg_upload *upload) { return upload->whole->payload.len - upload->at; }

static bool is_last(const struct cg_upload *upload) { return left(upload) <= block_size(upload); }

/* Only the last block has a word about blocks of the response (RFC 7959 §2.7). What takes several requests to say is
 * not observed: no renewal could be one message. */
static bool is_said(const struct cg_opt *opt, bool is_last) {
    return opt->number == CG_OPT_BLOCK2 ? is_last : opt->number != CG_OPT_OBSERVE;
}

/* The request's own, and the tag. */
static void put_own(struct cg_upload *upload, bool is_last) {
    const struct cg_opts *own = &upload->whole->options;
    struct cg_opts *options = &upload->request.options;
    options->count = 0;
    for (size_t i = 0; i < own->count; i++) {
        if (is_said(&own->list[i], is_last)) options->list[options->count++] = own->list[i];
    }
    cg_opts_insert(options, CG_OPT_REQUEST_TAG, cg_slice_of(upload->tag, sizeof upload->tag));
}

/* What goes out next: the block at upload->at. */
static void cut(struct cg_upload *upload) {
    bool last = is_last(upload);
    const struct cg_block block = {
        .number = (uint32_t)(upload->at / block_size(upload)), .more = !last, .szx = upload->szx};
    struct cg_opts *options = &upload->request.options;
    put_own(upload, last);
    cg_opts_insert(options, CG_OPT_BLOCK1, cg_slice_of(upload->block, cg_block_emit(&block, upload->block)));
    if (upload->at == 0)
        cg_opts_insert(options, CG_OPT_SIZE1, cg_uint_emit((uint32_t)upload->whole->payload.len, upload->size));
    upload->request.payload =
        cg_slice_of(upload->whole->payload.data + upload->at, last ? left(upload) : block_size(upload));
    upload->request.is_part = !last;
    upload->requests = 0;
    bool may_be_done_twice = !last || cg_may_repeat(upload->ask->leg.mapping, upload->whole->method);
    upload->ask->challenges_left = may_be_done_twice ? CHALLENGES : 1;
}

/* What comes back. */

/* What a response to a block says. */
enum verdict {
    TAKEN, /* the next block */
    AGAIN, /* from the beginning */
    FINAL, /* it is the response to the request */
    NONSENSE,
};

static bool is_class_2(uint8_t code) { return code >> 5 == 2; }

/* The number counts in the size that was sent, or in the smaller one that is asked for. */
static bool is_about(const struct cg_upload *upload, const struct cg_block *block) {
    size_t at = (size_t)block->number * cg_block_size(block);
    bool counts_as_sent = (size_t)block->number * block_size(upload) == upload->at;
    return block->szx <= upload->szx && (at == upload->at || counts_as_sent);
}

/* 4.13 with a smaller size: not the whole is too large, but the block (RFC 7959 §2.9.3). */
static bool is_too_large(const struct cg_upload *upload, const struct cg_opened *opened, const struct cg_block *block) {
    return opened->code == CG_CODE(4, 13) && block->szx < upload->szx;
}

static bool may_begin_again(const struct cg_upload *upload) { return upload->beginnings < BEGINNINGS; }

static enum verdict judge_incomplete(const struct cg_upload *upload) {
    bool may_have_it = upload->request.is_part && upload->requests > 1 && !upload->assumed;
    if (may_have_it) return TAKEN;
    return may_begin_again(upload) ? AGAIN : FINAL;
}

static enum verdict judge(const struct cg_upload *upload, const struct cg_opened *opened) {
    struct cg_block block;
    bool has_block = cg_block_find(opened->options, CG_OPT_BLOCK1, &block) == CG_BLOCK_ONE;
    bool goes_on = upload->request.is_part;
    if (has_block && is_too_large(upload, opened, &block) && may_begin_again(upload)) return AGAIN;
    if (opened->code == CG_CODE(4, 8)) return judge_incomplete(upload);
    if (goes_on && is_class_2(opened->code)) return has_block && is_about(upload, &block) ? TAKEN : NONSENSE;
    return opened->code == CG_CODE(2, 31) ? NONSENSE : FINAL; /* there is no more */
}

/* The size that the member asks for, where it is smaller. */
static void take_size(struct cg_upload *upload, const struct cg_opened *opened) {
    struct cg_block block;
    if (cg_block_find(opened->options, CG_OPT_BLOCK1, &block) != CG_BLOCK_ONE) return;
    bool has_numbers = upload->whole->payload.len <= cg_block_size(&block) * CG_BLOCK_NUMBERS;
    if (block.szx < upload->szx && has_numbers) upload->szx = block.szx;
}

static void send_next(struct cg_engine *engine, struct cg_upload *upload) {
    cut(upload);
    cg_ask_go_on(engine, upload->ask);
}

static void go_on(struct cg_engine *engine, struct cg_upload *upload, const struct cg_opened *opened) {
    upload->at += upload->request.payload.len;
    upload->assumed = !is_class_2(opened->code);
    take_size(upload, opened);
    send_next(engine, upload);
}

static void begin_again(struct cg_engine *engine, struct cg_upload *upload, const struct cg_opened *opened) {
    upload->at = 0;
    upload->assumed = false;
    upload->beginnings++;
    take_size(upload, opened);
    send_next(engine, upload);
}

static void end_ask(struct cg_engine *engine, struct cg_upload *upload) {
    struct cg_ask *ask = upload->ask;
    upload->ask = NULL;
    if (ask != NULL) cg_ask_end(engine, ask);
}

/* Further blocks of the response are asked for without the payload and its Block1 (RFC 7959 §2.7). */
static void conclude(struct cg_engine *engine, struct cg_upload *upload, const struct cg_arrival *arrival) {
    put_own(upload, true);
    upload->request.payload = CG_SLICE_NONE;
    end_ask(engine, upload);
    upload->ops->answer(engine, upload, arrival);
}

static void on_answer(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_upload *upload = of_leg(leg);
    enum verdict verdict = judge(upload, arrival->opened);
    if (verdict != FINAL) cg_account_say(engine, CG_FATE_BLOCK);
    switch (verdict) {
    case TAKEN: go_on(engine, upload, arrival->opened); break;
    case AGAIN: begin_again(engine, upload, arrival->opened); break;
    case FINAL: conclude(engine, upload, arrival); break;
    case NONSENSE:
        upload->ops->refused(engine, upload, &arrival->from, arrival->opened, "bad-block");
        cg_ask_give_up(engine, upload->ask);
        break;
    }
}

static void on_challenge(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    cg_ask_answer_challenge(engine, cg_ask_of(leg), arrival->opened);
}

/* The member may have told that it does not have the keys which it was asked under. */
static void retry_under_other_keys(struct cg_engine *engine, struct cg_leg *leg) {
    const struct cg_upload *upload = of_leg(leg);
    bool may = upload->request.is_part || cg_may_repeat(leg->mapping, upload->whole->method);
    if (leg->sending.request != 0 && may && cg_leg_is_stale(leg)) cg_ask_go_on(engine, upload->ask);
}

static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    struct cg_upload *upload = of_leg(leg);
    upload->ops->refused(engine, upload, from, opened, reason);
    retry_under_other_keys(engine, leg);
}

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    struct cg_upload *upload = of_leg(leg);
    if (upload->requests < 2) upload->requests++;
    upload->ops->sent(engine, upload);
}

static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    struct cg_upload *upload = of_leg(leg);
    upload->ask = NULL;
    upload->ops->ended(engine, upload, problem);
}

static bool is_wanted(const struct cg_leg *leg) { return of_leg(leg)->ops->is_wanted(of_leg(leg)); }

static const struct cg_leg_ops ask_ops = {
    .sent = on_sent,
    .answer = on_answer,
    .challenge = on_challenge,
    .refused = on_refused,
    .ended = on_ended,
    .is_wanted = is_wanted,
};

/* Beginning and end. */

bool cg_upload_init(struct cg_engine *engine, struct cg_upload *upload, const struct cg_upload_ops *ops,
                    const struct cg_upload_plan *plan, struct cg_problem *problem) {
    struct cg_leg_order order = plan->order;
    const struct cg_leg_request *whole = order.request;
    CG_CHECK(whole->payload.len > 0);
    *upload = (struct cg_upload){.ops = ops, .whole = whole, .request = *whole, .beginnings = 1};
    upload->szx = cg_block_szx(cg_upload_most(order.mapping));
    upload->options = calloc(whole->options.count + MORE_OPTIONS, sizeof *upload->options);
    if (upload->options == NULL) {
        cg_problem_no_memory(problem);
        return false;
    }
    upload->request.options.list = upload->options;
    upload->request.payload.len = 0; /* until it is cut */
    upload->request.observes = false;
    order.ops = &ask_ops;
    order.owner = upload;
    order.request = &upload->request;
    upload->ask = cg_ask_new(engine, &order, &plan->to, plan->identity, problem);
    if (upload->ask == NULL) {
        free(upload->options);
        upload->options = NULL;
        return false;
    }
    upload->ask->turn.is_stranger = plan->is_stranger;
    upload->ask->turn.size += block_size(upload);
    engine->port->random(engine->port->ctx, upload->tag, sizeof upload->tag);
    cut(upload);
    return true;
}

void cg_upload_go(struct cg_engine *engine, struct cg_upload *upload) { cg_ask_go(engine, upload->ask); }

void cg_upload_fini(struct cg_engine *engine, struct cg_upload *upload) {
    end_ask(engine, upload);
    free(upload->options);
    upload->options = NULL;
}

/* Answers in blocks. The hard thing: what is put together must be one representation of one member, and half a body is
 * none. */
#include "legs/blocks.h"

#include "base/check.h"
#include "legs/forwardable.h"
#include "legs/observe.h"
#include "model/who.h"

#include <stdlib.h>

enum {
    BEGINNINGS = 4, /* of one answer; the first came by itself */
    CHALLENGES = 4, /* to one block's request: whoever has started again meanwhile challenges again */
};

static struct cg_slice etag_of(struct cg_slice options) {
    struct cg_msg msg = {.options = options};
    struct cg_slice etag = CG_SLICE_NONE;
    cg_msg_find(&msg, CG_OPT_ETAG, &etag);
    return etag;
}

static enum cg_block_found find_block(const struct cg_opened *opened, struct cg_block *block) {
    return cg_block_find(opened->options, CG_OPT_BLOCK2, block);
}

/* The first */

enum cg_blocks_kind cg_blocks_sort(uint8_t method, const struct cg_opened *opened, const char **reason) {
    struct cg_block block;
    enum cg_block_found found = find_block(opened, &block);
    if (found == CG_BLOCK_NONE) return CG_BLOCKS_NONE;
    bool is_safe = (CG_METHOD_BIT(method) & CG_METHODS_SAFE) != 0;
    bool is_first = found == CG_BLOCK_ONE && block.number == 0 && cg_block_has_its_size(&block, opened->payload.len);
    if (is_first && !block.more) return CG_BLOCKS_NONE;
    if (is_first && is_safe) return CG_BLOCKS_FOLLOW;
    *reason = is_first ? "blocks-unsafe" : "bad-block";
    return CG_BLOCKS_REFUSED;
}

/* What has come */

static void discharge(struct cg_blocks *blocks) {
    cg_arena_discharge(blocks->arena, blocks->charged);
    blocks->charged = 0;
}

static void free_bytes(struct cg_blocks *blocks) {
    discharge(blocks);
    cg_buf_fini(&blocks->who);
    cg_buf_fini(&blocks->head);
    cg_buf_fini(&blocks->body);
    free(blocks->options);
    blocks->options = NULL;
}

static size_t size_of_options(const struct cg_blocks *blocks) {
    return blocks->options == NULL ? 0 : blocks->request.options.count * sizeof *blocks->options;
}

/* False: a limit is reached. */
static bool charge(struct cg_blocks *blocks) {
    size_t size = sizeof *blocks + size_of_options(blocks) + blocks->who.cap + blocks->head.cap + blocks->body.cap;
    if (!cg_arena_charge(blocks->arena, size - blocks->charged)) return false;
    blocks->charged = size;
    return true;
}

static bool put_block(struct cg_blocks *blocks, struct cg_slice payload) {
    cg_buf_put_slice(&blocks->body, payload);
    return !blocks->body.failed && charge(blocks);
}

static struct cg_slice take_off(const uint8_t **at, struct cg_slice like) {
    if (like.len == 0) return CG_SLICE_NONE;
    struct cg_slice slice = cg_slice_of(*at, like.len);
    *at += like.len;
    return slice;
}

/* Who it is from stays where it is, since the owner finds it by that. False: out of memory. */
static bool keep_who(struct cg_blocks *blocks, const struct cg_opened *first) {
    cg_buf_put_slice(&blocks->who, first->identity);
    return !blocks->who.failed;
}

/* With the notification's Observe where it belongs, as they are of what was fetched without. */
static void put_options_observed(struct cg_buf *to, struct cg_slice options, uint32_t observe) {
    enum { MORE = 8 }; /* bytes, at the most */
    uint8_t *data = cg_buf_reserve(to, options.len + MORE);
    struct cg_msg msg = {.options = options};
    struct cg_msg_writer writer = {.data = data, .cap = options.len + MORE};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool is_put = false;
    if (data == NULL) return;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number == CG_OPT_OBSERVE) continue;
        if (!is_put && opt.number > CG_OPT_OBSERVE) cg_msg_put_uint(&writer, CG_OPT_OBSERVE, observe);
        is_put |= opt.number > CG_OPT_OBSERVE;
        cg_msg_put_opt(&writer, opt.number, opt.value);
    }
    if (!is_put) cg_msg_put_uint(&writer, CG_OPT_OBSERVE, observe);
    to->len += writer.len;
    to->failed |= writer.failed;
}

static bool is_success(const struct cg_opened *opened) { return opened->code >> 5 == 2; }

/* It is the notification's representation, though it was fetched later: the next one is newer all the same. */
static void number_as_notification(struct cg_opened *opened, const struct cg_opened *notification) {
    opened->has_number = notification->has_number;
    opened->number = notification->number;
    opened->generation = notification->generation;
    opened->overtaken = notification->overtaken;
}

/* What the first block lends, but for its payload. False: out of memory. */
static bool keep_head(struct cg_blocks *blocks, const struct cg_opened *first) {
    const struct cg_opened before = blocks->opened;
    cg_buf_clear(&blocks->head);
    if (blocks->is_notification && is_success(first)) {
        put_options_observed(&blocks->head, first->options, blocks->observe);
    } else {
        cg_buf_put_slice(&blocks->head, first->options);
    }
    size_t options_len = blocks->head.len;
    cg_buf_put_slice(&blocks->head, first->kid);
    if (blocks->head.failed) return false;
    const uint8_t *at = blocks->head.data;
    blocks->opened = *first;
    if (blocks->is_notification && blocks->begins) number_as_notification(&blocks->opened, &before);
    blocks->opened.options = take_off(&at, cg_slice_of(at, options_len));
    blocks->opened.kid = take_off(&at, first->kid);
    blocks->opened.identity = cg_buf_slice(&blocks->who);
    blocks->opened.payload = blocks->opened.gid = blocks->opened.echo = CG_SLICE_NONE;
    return true;
}

bool cg_blocks_init(struct cg_blocks *blocks, const struct cg_blocks_ops *ops, const struct cg_arrival *first,
                    struct cg_arena *arena, size_t answer_max) {
    struct cg_block block;
    CG_CHECK(find_block(first->opened, &block) == CG_BLOCK_ONE);
    *blocks = (struct cg_blocks){.ops = ops, .arena = arena, .arrival = *first, .szx = block.szx, .beginnings = 1};
    blocks->arrival.opened = &blocks->opened;
    struct cg_notification notification;
    cg_notification_read(first->opened, &notification);
    blocks->is_notification = notification.is_observed;
    blocks->observe = notification.order;
    cg_buf_init(&blocks->who, 0);
    cg_buf_init(&blocks->head, 0);
    cg_buf_init(&blocks->body, answer_max);
    bool is_kept = keep_who(blocks, first->opened) && keep_head(blocks, first->opened);
    if (is_kept && put_block(blocks, first->opened->payload)) return true;
    free_bytes(blocks);
    return false;
}

static void end_ask(struct cg_engine *engine, struct cg_blocks *blocks) {
    struct cg_ask *ask = blocks->ask;
    blocks->ask = NULL;
    if (ask != NULL) cg_ask_end(engine, ask);
}

void cg_blocks_fini(struct cg_engine *engine, struct cg_blocks *blocks) {
    end_ask(engine, blocks);
    free_bytes(blocks);
}

const char *cg_blocks_reason(const struct cg_blocks *blocks) {
    return blocks->ask == NULL || cg_ask_is_proven(blocks->ask) ? "blocks-incomplete" : "unproven-address";
}

/* The others */

static void put_option(struct cg_blocks *blocks) {
    struct cg_ask *ask = blocks->ask;
    struct cg_block wanted = {.number = (uint32_t)(blocks->body.len >> (blocks->szx + 4)), .szx = blocks->szx};
    ask->has_block = true;
    ask->challenges_left = CHALLENGES;
    ask->block_len = (uint8_t)cg_block_emit(&wanted, ask->block);
}

/* Of the size that the member has chosen and the mapping's, which was said in the request: who did not keep to it is
 * told once more. */
static void limit_size(struct cg_blocks *blocks, const struct cg_mapping *mapping) {
    if (mapping->block_size == 0 || mapping->block_size >= (size_t)16 << blocks->szx) return;
    blocks->szx = cg_block_szx(mapping->block_size);
}

static void finish(struct cg_engine *engine, struct cg_blocks *blocks) {
    blocks->opened.payload = cg_buf_slice(&blocks->body);
    end_ask(engine, blocks);
    discharge(blocks); /* the owner takes its own copy */
    blocks->ops->whole(engine, blocks);
}

static void ask_for_next(struct cg_engine *engine, struct cg_blocks *blocks) {
    put_option(blocks);
    cg_ask_go_on(engine, blocks->ask);
}

static bool is_forwardable(const struct cg_blocks *blocks, const struct cg_opened *opened) {
    const struct cg_leg *leg = &blocks->ask->leg;
    return cg_forwardable(opened->options, leg->mapping->security, &leg->config->options);
}

/* Whether a further block is of the same representation. */
static bool is_of_same(const struct cg_blocks *blocks, const struct cg_opened *opened) {
    return opened->code == blocks->opened.code &&
           cg_slice_equal(etag_of(opened->options), etag_of(blocks->opened.options));
}

/* It is the one that was asked for; it may be smaller (RFC 7959 §2.4). */
static bool fits(const struct cg_blocks *blocks, const struct cg_opened *opened, struct cg_block *block) {
    return find_block(opened, block) == CG_BLOCK_ONE && block->szx <= blocks->szx &&
           (size_t)block->number * cg_block_size(block) == blocks->body.len &&
           cg_block_has_its_size(block, opened->payload.len);
}

/* The representation is another one now, or there is none any more: from its first block on, whatever that is. */
static void begin_again(struct cg_engine *engine, struct cg_blocks *blocks) {
    if (blocks->beginnings == BEGINNINGS) {
        cg_ask_give_up(engine, blocks->ask);
        return;
    }
    blocks->beginnings++;
    blocks->begins = true;
    cg_buf_clear(&blocks->body);
    ask_for_next(engine, blocks);
}

/* The answer is this one, in the place that the one before had. False: a limit is reached. */
static bool take_first(struct cg_blocks *blocks, const struct cg_arrival *first) {
    struct cg_arrival *arrival = &blocks->arrival;
    arrival->request = first->request;
    arrival->mid = first->mid;
    arrival->via = first->via;
    if (first->arrival_us > arrival->arrival_us)
        arrival->ms += (uint32_t)((first->arrival_us - arrival->arrival_us) / 1000);
    arrival->arrival_us = first->arrival_us;
    bool is_kept = keep_head(blocks, first->opened);
    blocks->begins = false;
    return is_kept && put_block(blocks, first->opened->payload);
}

static void on_first(struct cg_engine *engine, struct cg_blocks *blocks, const struct cg_arrival *first) {
    const char *reason;
    struct cg_block block;
    enum cg_blocks_kind kind = cg_blocks_sort(blocks->ask->leg.request->method, first->opened, &reason);
    if (kind == CG_BLOCKS_REFUSED || !take_first(blocks, first)) {
        cg_ask_give_up(engine, blocks->ask);
    } else if (kind == CG_BLOCKS_NONE) {
        finish(engine, blocks);
    } else {
        bool is_smaller = find_block(first->opened, &block) == CG_BLOCK_ONE && block.szx < blocks->szx;
        if (is_smaller) blocks->szx = block.szx;
        ask_for_next(engine, blocks);
    }
}

static void on_further(struct cg_engine *engine, struct cg_blocks *blocks, const struct cg_opened *opened) {
    struct cg_block block;
    if (!fits(blocks, opened, &block) || !put_block(blocks, opened->payload)) {
        cg_ask_give_up(engine, blocks->ask);
    } else if (block.more) {
        blocks->szx = block.szx;
        ask_for_next(engine, blocks);
    } else {
        finish(engine, blocks);
    }
}

static void on_block(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    struct cg_blocks *blocks = leg->owner;
    cg_account_say(engine, CG_FATE_BLOCK);
    if (!is_forwardable(blocks, arrival->opened)) {
        cg_ask_give_up(engine, blocks->ask);
    } else if (blocks->begins) {
        on_first(engine, blocks, arrival);
    } else if (is_of_same(blocks, arrival->opened)) {
        on_further(engine, blocks, arrival->opened);
    } else {
        begin_again(engine, blocks);
    }
}

static void on_challenge(struct cg_engine *engine, struct cg_leg *leg, const struct cg_arrival *arrival) {
    cg_ask_answer_challenge(engine, cg_ask_of(leg), arrival->opened);
}

static void on_refused(struct cg_engine *engine, struct cg_leg *leg, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    struct cg_blocks *blocks = leg->owner;
    blocks->ops->refused(engine, blocks, from, opened, reason);
}

static void on_ended(struct cg_engine *engine, struct cg_leg *leg, const struct cg_problem *problem) {
    struct cg_blocks *blocks = leg->owner;
    const char *reason = cg_blocks_reason(blocks);
    (void)problem; /* whatever it was, the answer is not whole */
    blocks->ask = NULL;
    blocks->ops->incomplete(engine, blocks, reason);
}

static void on_sent(struct cg_engine *engine, struct cg_leg *leg) {
    (void)engine;
    (void)leg;
}

static bool is_wanted(const struct cg_leg *leg) {
    const struct cg_blocks *blocks = leg->owner;
    return blocks->ops->is_wanted(blocks);
}

static const struct cg_leg_ops ask_ops = {
    .sent = on_sent,
    .answer = on_block,
    .challenge = on_challenge,
    .refused = on_refused,
    .ended = on_ended,
    .is_wanted = is_wanted,
};

/* Asking for the second */

/* On plain groups anybody can answer from any address, so only where a member is configured blocks are asked for at
 * once. */
bool cg_blocks_are_strange(const struct cg_blocks *blocks, const struct cg_mapping *mapping) {
    if (blocks->opened.verified == CASTGATE_VERIFIED_SOURCE) return false;
    return !cg_who_is_configured(mapping, &blocks->arrival.from);
}

/* A stranger must be a host of the mapping's members, on the link of the target's interface, or in group.prefixes, and
 * within the budgets; it is pinged first, if need be. */
static bool may_ask_stranger(struct cg_engine *engine, const struct cg_addr *addr, const struct cg_blocks_plan *plan) {
    const struct cg_endpoint *endpoint = cg_endpoint_find(engine, addr);
    if (endpoint != NULL && endpoint->genuine) return true;
    if (*plan->strangers >= CG_STRANGERS_MAX || cg_addr_is_multicast(addr)) return false;
    bool is_pinged = endpoint != NULL && endpoint->ping.runs;
    if (!is_pinged && !cg_ping_has_room(engine, addr)) return false;
    const struct cg_leg_order *order = &plan->order;
    bool allowed = plan->is_known_host || cg_reach_near(engine, &order->config->group, order->target, addr);
    if (allowed) ++*plan->strangers;
    return allowed;
}

/* RFC 7959 §2.6: none of the others observes anything. False: a limit of memory is reached. */
static bool take_request(struct cg_blocks *blocks, const struct cg_leg_request *whole) {
    blocks->request = *whole;
    blocks->request.observes = blocks->request.cancels = false;
    if (!whole->observes) return true;
    struct cg_opts *options = &blocks->request.options;
    blocks->options = calloc(whole->options.count, sizeof *blocks->options);
    if (blocks->options == NULL) return false;
    *options = (struct cg_opts){.list = blocks->options};
    for (size_t i = 0; i < whole->options.count; i++) {
        const struct cg_opt *opt = &whole->options.list[i];
        if (opt->number != CG_OPT_OBSERVE) options->list[options->count++] = *opt;
    }
    return charge(blocks);
}

const char *cg_blocks_fetch(struct cg_engine *engine, struct cg_blocks *blocks, const struct cg_blocks_plan *plan) {
    const struct cg_addr *from = plan->by != NULL ? plan->by : &blocks->arrival.from;
    bool stranger = plan->by == NULL && cg_blocks_are_strange(blocks, plan->order.mapping);
    bool verified = blocks->opened.verified == CASTGATE_VERIFIED_SOURCE;
    struct cg_leg_order order = plan->order;
    struct cg_problem ignored = {0}; /* the answer is refused */
    if (stranger && !may_ask_stranger(engine, from, plan)) return "unproven-address";
    order.ops = &ask_ops;
    order.owner = blocks;
    order.request = &blocks->request;
    order.shares = NULL;
    if (!take_request(blocks, plan->order.request)) return "blocks-incomplete";
    blocks->ask = cg_ask_new(engine, &order, from, verified ? blocks->opened.identity : CG_SLICE_NONE, &ignored);
    if (blocks->ask == NULL) return "blocks-incomplete";
    blocks->ask->turn.is_stranger = stranger;
    blocks->ask->left = plan->left;
    limit_size(blocks, plan->order.mapping);
    put_option(blocks);
    cg_ask_go(engine, blocks->ask);
    return NULL;
}

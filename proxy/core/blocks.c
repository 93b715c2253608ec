/* The blocks behind the first one of a large answer (RFC 7959): each is an ask of its own to the member that sent the
 * first. The hard thing: what is put together must be one representation of one member, and half a body is none. */
#include "core/ask.h"

/* Block options (RFC 7959 §2.2): number, more flag, size exponent. */
struct block {
    uint32_t number;
    bool more;
    uint8_t szx;
};

static bool find_block2(const struct cg_msg *msg, struct block *block) {
    uint32_t value;
    if (!cg_msg_find_uint(msg, CG_OPT_BLOCK2, &value) || value > 0xffffff) return false;
    *block = (struct block){.number = value >> 4, .more = value & 8, .szx = value & 7};
    return block->szx < 7;
}

static struct cg_msg as_msg(struct cg_slice options, struct cg_slice payload) {
    return (struct cg_msg){.options = options, .payload = payload};
}

static void ask_next_block(struct cg_gateway *gateway, struct cg_ask *ask) {
    uint32_t number = ask->block << 4 | ask->szx;
    uint8_t value[3] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    size_t skip = value[0] != 0 ? 0 : value[1] != 0 ? 1 : value[2] != 0 ? 2 : 3;
    struct cg_opts plain, options;
    struct cg_opt list[CG_ASK_OPTIONS_MAX];
    struct cg_opt block2 = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(value + skip, sizeof value - skip)};
    if (cg_exchange_options(ask->exchange, ask->target, &plain) < 0 ||
        !cg_ask_with_option(&options, list, &plain, block2)) {
        cg_ask_give_up(gateway, ask);
        return;
    }
    cg_ask_seal(gateway, ask, options);
}

void cg_blocks_ask(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                   struct cg_held_answer *held) {
    struct cg_msg msg = as_msg(held->options, held->payload);
    struct block block;
    bool safe = CG_METHOD_BIT(exchange->request.method) & CG_METHODS_SAFE;
    if (!safe || !find_block2(&msg, &block) || !block.more || block.number != 0) return;
    if (held->payload.len != (size_t)16 << block.szx) return; /* not a first block; it stays what it is */
    struct cg_ask *ask = cg_ask_new(gateway, exchange, CG_ASK_BLOCKS, &held->from, target);
    if (ask == NULL) return;
    held->whole = false;
    exchange->tally.incomplete++;
    ask->held = held;
    if (held->verified == CASTGATE_VERIFIED_SOURCE) ask->identity = held->key;
    ask->block = 1;
    ask->szx = block.szx;
    cg_buf_put_slice(&ask->body, held->payload);
    cg_msg_find(&msg, CG_OPT_ETAG, &ask->etag);
    ask_next_block(gateway, ask);
}

static void finish_blocks(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_exchange *exchange = ask->exchange;
    if (ask->body.failed || !cg_tally_complete(&exchange->tally, ask->held, cg_buf_slice(&ask->body))) {
        cg_ask_give_up(gateway, ask);
        return;
    }
    ask->held->whole = true;
    exchange->tally.incomplete--;
    cg_exchange_held(gateway, exchange, ask->held);
    cg_ask_end(gateway, ask);
    cg_gateway_wake(gateway, exchange);
}

void cg_blocks_take(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_opened *opened) {
    struct cg_msg msg = as_msg(opened->options, opened->payload);
    struct block block;
    struct cg_slice etag = CG_SLICE_NONE;
    cg_msg_find(&msg, CG_OPT_ETAG, &etag);
    bool fits = opened->code == ask->held->code && find_block2(&msg, &block) && block.szx <= ask->szx &&
                (size_t)block.number << (block.szx + 4) == ask->body.len && cg_slice_equal(etag, ask->etag) &&
                (!block.more || opened->payload.len == (size_t)16 << block.szx);
    if (fits) cg_buf_put_slice(&ask->body, opened->payload);
    if (!fits || ask->body.failed) {
        cg_ask_give_up(gateway, ask);
    } else if (!block.more) {
        finish_blocks(gateway, ask);
    } else if (!cg_ask_renew(gateway, ask)) {
        cg_ask_give_up(gateway, ask);
    } else {
        ask->szx = block.szx;
        ask->block = (uint32_t)(ask->body.len >> (ask->szx + 4));
        ask_next_block(gateway, ask);
    }
}

/* The blocks behind the first one of a large answer (RFC 7959): each is an ask of its own to the member that sent the
 * first. The hard thing: what is put together must be one representation of one member, and half a body is none. */
#include "core/ask.h"
#include "core/forwardable.h"
#include "core/ping.h"
#include "core/who.h"

/* Block options (RFC 7959 §2.2): number, more flag, size exponent. */
struct block {
    uint32_t number;
    bool more;
    uint8_t szx;
};

enum { BLOCK2_LEN_MAX = 3, SZX_MAX = 6 };
enum block2 { BLOCK2_NONE, BLOCK2_ONE, BLOCK2_MALFORMED };

static size_t size_of(const struct block *block) { return (size_t)16 << block->szx; }

static bool parse_block2(struct cg_slice value, struct block *block) {
    if (value.len > BLOCK2_LEN_MAX) return false;
    uint32_t number = 0;
    for (size_t i = 0; i < value.len; i++) number = number << 8 | value.data[i];
    *block = (struct block){.number = number >> 4, .more = number & 8, .szx = number & 7};
    return block->szx <= SZX_MAX;
}

static enum block2 find_block2(const struct cg_opened *opened, struct block *block) {
    struct cg_msg msg = {.options = opened->options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    enum block2 found = BLOCK2_NONE;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number != CG_OPT_BLOCK2) continue;
        if (found != BLOCK2_NONE || !parse_block2(opt.value, block)) return BLOCK2_MALFORMED;
        found = BLOCK2_ONE;
    }
    return found;
}

static struct cg_slice etag_of(struct cg_slice options) {
    struct cg_msg msg = {.options = options};
    struct cg_slice etag = CG_SLICE_NONE;
    cg_msg_find(&msg, CG_OPT_ETAG, &etag);
    return etag;
}

/* A block that others follow is full; the last one is at most that long. */
static bool has_its_size(const struct block *block, size_t len) {
    return block->more ? len == size_of(block) : len <= size_of(block);
}

/* The first */

const char *cg_blocks_refusal(const struct cg_exchange *exchange, const struct cg_opened *opened) {
    struct block block;
    bool safe = CG_METHOD_BIT(exchange->request.method) & CG_METHODS_SAFE;
    enum block2 found = find_block2(opened, &block);
    if (found == BLOCK2_NONE) return NULL;
    bool is_first = found == BLOCK2_ONE && block.number == 0 && has_its_size(&block, opened->payload.len);
    if (!is_first) return "bad-block";
    return block.more && !safe ? "blocks-unsafe" : NULL;
}

static void withdraw(struct cg_exchange *exchange, struct cg_held_answer *held, const char *reason) {
    exchange->tally.incomplete--;
    cg_tally_withdraw(&exchange->tally, held, reason);
    exchange->mapping->stats->rejected++;
}

void cg_blocks_withdraw(struct cg_ask *ask) {
    bool is_proven = !ask->is_stranger || (ask->endpoint != NULL && ask->endpoint->genuine);
    withdraw(ask->exchange, ask->held, is_proven ? "blocks-incomplete" : "unproven-address");
}

/* On plain groups anybody can answer from any address, so only where a member is configured blocks are asked for at
 * once. */
static bool is_stranger(const struct cg_exchange *exchange, const struct cg_held_answer *held) {
    if (held->verified == CASTGATE_VERIFIED_SOURCE) return false;
    return !cg_who_is_configured(exchange->mapping, &held->from);
}

void cg_blocks_ask(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                   struct cg_held_answer *held) {
    struct cg_opened first = {.options = held->options};
    struct block block;
    struct cg_problem ignored = {0}; /* the answer is taken back */
    if (find_block2(&first, &block) != BLOCK2_ONE || !block.more) return;
    held->whole = false;
    exchange->tally.incomplete++;
    bool stranger = is_stranger(exchange, held);
    if (stranger && !cg_ping_may_ask(gateway, exchange, target, &held->from, held->member != NULL)) {
        withdraw(exchange, held, "unproven-address");
        return;
    }
    struct cg_ask *ask = cg_ask_new(gateway, exchange, CG_ASK_BLOCKS, &held->from, target, &ignored);
    if (ask == NULL) {
        withdraw(exchange, held, "blocks-incomplete");
        return;
    }
    ask->is_stranger = stranger;
    ask->held = held;
    if (held->verified == CASTGATE_VERIFIED_SOURCE) ask->identity = held->key;
    ask->block = 1;
    ask->szx = block.szx;
    ask->etag = etag_of(held->options);
    cg_buf_put_slice(&ask->body, held->payload);
    cg_ask_go(gateway, ask);
}

/* The others */

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

/* A further block is of the same representation, and the one that was asked for; it may be smaller (RFC 7959 §2.4). */
static bool fits(const struct cg_ask *ask, const struct cg_opened *opened, struct block *block) {
    const struct cg_exchange *exchange = ask->exchange;
    if (!cg_forwardable(opened->options, exchange->mapping->security, &exchange->config->options)) return false;
    return opened->code == ask->held->code && find_block2(opened, block) == BLOCK2_ONE && block->szx <= ask->szx &&
           (size_t)block->number * size_of(block) == ask->body.len && has_its_size(block, opened->payload.len) &&
           cg_slice_equal(etag_of(opened->options), ask->etag);
}

static void ask_next(struct cg_gateway *gateway, struct cg_ask *ask, const struct block *last) {
    ask->echo_len = 0;
    ask->szx = last->szx;
    ask->block = last->number + 1;
    cg_ask_go_on(gateway, ask);
}

void cg_blocks_take(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_opened *opened) {
    struct block block;
    bool taken = fits(ask, opened, &block);
    if (taken) cg_buf_put_slice(&ask->body, opened->payload);
    if (!taken || ask->body.failed) {
        cg_ask_give_up(gateway, ask);
    } else if (block.more) {
        ask_next(gateway, ask, &block);
    } else {
        finish_blocks(gateway, ask);
    }
}

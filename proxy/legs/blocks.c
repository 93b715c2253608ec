/* The blocks behind the first one of a large answer (RFC 7959): each is an ask of its own to the member that sent the
 * first. The hard thing: what is put together must be one representation of one member, and half a body is none: it
 * takes nobody's place before it is whole. */
#include "legs/ask.h"
#include "base/check.h"
#include "legs/forwardable.h"
#include "legs/ping.h"
#include "legs/share.h"
#include "model/who.h"

#include <stdlib.h>

/* Block options (RFC 7959 §2.2): number, more flag, size exponent. */
struct block {
    uint32_t number;
    bool more;
    uint8_t szx;
};

enum { SZX_MAX = 6 };
enum block2 { BLOCK2_NONE, BLOCK2_ONE, BLOCK2_MALFORMED };

static size_t size_of(const struct block *block) { return (size_t)16 << block->szx; }

static bool parse_block2(struct cg_slice value, struct block *block) {
    if (value.len > CG_BLOCK2_MAX) return false;
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

bool cg_blocks_follow(const struct cg_opened *opened) {
    struct block block;
    return find_block2(opened, &block) == BLOCK2_ONE && block.more;
}

/* What has come of an answer */

struct cg_blocks {
    struct cg_awaited awaited;
    struct cg_arrival arrival; /* of the first block */
    struct cg_opened opened;   /* its payload is `body` once that is whole, the rest is in `head` */
    struct cg_buf head, body;
    size_t charged; /* to the exchange's arena */
    uint32_t next;  /* the block that is asked for */
    uint8_t szx;
};

static void free_blocks(struct cg_exchange *exchange, struct cg_blocks *blocks) {
    cg_arena_discharge(&exchange->arena, blocks->charged);
    cg_buf_fini(&blocks->head);
    cg_buf_fini(&blocks->body);
    free(blocks);
}

/* False: a limit is reached. */
static bool charge(struct cg_exchange *exchange, struct cg_blocks *blocks) {
    size_t size = sizeof *blocks + blocks->head.cap + blocks->body.cap;
    if (!cg_arena_charge(&exchange->arena, size - blocks->charged)) return false;
    blocks->charged = size;
    return true;
}

static bool put_block(struct cg_exchange *exchange, struct cg_blocks *blocks, struct cg_slice payload) {
    cg_buf_put_slice(&blocks->body, payload);
    return !blocks->body.failed && charge(exchange, blocks);
}

static struct cg_slice take_off(const uint8_t **at, struct cg_slice like) {
    if (like.len == 0) return CG_SLICE_NONE;
    struct cg_slice slice = cg_slice_of(*at, like.len);
    *at += like.len;
    return slice;
}

/* What the first block lends, but for its payload. False: out of memory. */
static bool keep_head(struct cg_blocks *blocks, const struct cg_opened *first) {
    cg_buf_put_slice(&blocks->head, first->options);
    cg_buf_put_slice(&blocks->head, first->kid);
    cg_buf_put_slice(&blocks->head, first->identity);
    if (blocks->head.failed) return false;
    const uint8_t *at = blocks->head.data;
    blocks->opened = *first;
    blocks->opened.options = take_off(&at, first->options);
    blocks->opened.kid = take_off(&at, first->kid);
    blocks->opened.identity = take_off(&at, first->identity);
    blocks->opened.payload = blocks->opened.gid = blocks->opened.echo = CG_SLICE_NONE;
    return true;
}

/* NULL: out of memory. */
static struct cg_blocks *keep_first(struct cg_exchange *exchange, const struct cg_arrival *first) {
    struct cg_blocks *blocks = calloc(1, sizeof *blocks);
    if (blocks == NULL) return NULL;
    struct block block;
    CG_CHECK(find_block2(first->opened, &block) == BLOCK2_ONE);
    cg_buf_init(&blocks->head, 0);
    cg_buf_init(&blocks->body, exchange->config->limits.answer);
    blocks->arrival = *first;
    blocks->arrival.opened = &blocks->opened;
    blocks->next = 1;
    blocks->szx = block.szx;
    if (keep_head(blocks, first->opened) && put_block(exchange, blocks, first->opened->payload)) return blocks;
    free_blocks(exchange, blocks);
    return NULL;
}

static void refuse(struct cg_exchange *exchange, struct cg_blocks *blocks, const char *reason) {
    struct cg_opened shown = {.kid = blocks->opened.kid, .has_kid = blocks->opened.has_kid};
    cg_tally_forgo(&exchange->tally, &blocks->awaited);
    cg_tally_refuse(&exchange->tally, &blocks->arrival.from, &shown, reason);
    exchange->mapping->stats->rejected++;
    free_blocks(exchange, blocks);
}

void cg_blocks_give_up(struct cg_ask *ask) {
    bool is_proven = !ask->is_stranger || (ask->endpoint != NULL && ask->endpoint->genuine);
    refuse(ask->exchange, ask->blocks, is_proven ? "blocks-incomplete" : "unproven-address");
    ask->blocks = NULL;
}

/* Asking for the second */

/* On plain groups anybody can answer from any address, so only where a member is configured blocks are asked for at
 * once. */
static bool is_stranger(const struct cg_exchange *exchange, const struct cg_blocks *blocks) {
    if (blocks->opened.verified == CASTGATE_VERIFIED_SOURCE) return false;
    return !cg_who_is_configured(exchange->mapping, &blocks->arrival.from);
}

static void ask_for_others(struct cg_gateway *gateway, struct cg_exchange *exchange, const struct cg_target *target,
                           struct cg_blocks *blocks) {
    const struct cg_addr *from = &blocks->arrival.from;
    bool stranger = is_stranger(exchange, blocks), is_known = blocks->awaited.who.member != NULL;
    struct cg_problem ignored = {0}; /* the answer is refused */
    if (stranger && !cg_ping_may_ask(gateway, exchange, target, from, is_known)) {
        refuse(exchange, blocks, "unproven-address");
        return;
    }
    struct cg_ask *ask = cg_ask_new(gateway, exchange, CG_ASK_BLOCKS, from, target, &ignored);
    if (ask == NULL) {
        refuse(exchange, blocks, "blocks-incomplete");
        return;
    }
    ask->is_stranger = stranger;
    ask->blocks = blocks;
    if (blocks->opened.verified == CASTGATE_VERIFIED_SOURCE) ask->identity = blocks->opened.identity;
    cg_ask_go(gateway, ask);
}

enum cg_tally_result cg_blocks_begin(struct cg_gateway *gateway, struct cg_exchange *exchange,
                                     const struct cg_target *target, const struct cg_arrival *first) {
    struct cg_blocks *blocks = keep_first(exchange, first);
    if (blocks == NULL) return cg_tally_drop_for_memory(&exchange->tally, first);
    enum cg_tally_result result = cg_tally_await(&exchange->tally, &blocks->arrival, &blocks->awaited);
    if (result == CG_TALLY_AWAITED) {
        ask_for_others(gateway, exchange, target, blocks);
    } else {
        free_blocks(exchange, blocks);
    }
    return result;
}

bool cg_blocks_may_ask(const struct cg_ask *ask) {
    return cg_share_take(ask->exchange, ask->blocks->awaited.who.key, CG_SHARE_BLOCKS);
}

struct cg_slice cg_blocks_option(const struct cg_ask *ask, uint8_t bytes[CG_BLOCK2_MAX]) {
    uint32_t value = ask->blocks->next << 4 | ask->blocks->szx;
    bytes[0] = (uint8_t)(value >> 16);
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)value;
    size_t skip = bytes[0] != 0 ? 0 : bytes[1] != 0 ? 1 : bytes[2] != 0 ? 2 : 3;
    return cg_slice_of(bytes + skip, CG_BLOCK2_MAX - skip);
}

/* The others */

static void finish(struct cg_gateway *gateway, struct cg_ask *ask) {
    struct cg_exchange *exchange = ask->exchange;
    struct cg_blocks *blocks = ask->blocks;
    blocks->opened.payload = cg_buf_slice(&blocks->body);
    cg_tally_forgo(&exchange->tally, &blocks->awaited);
    cg_arena_discharge(&exchange->arena, blocks->charged); /* the tally takes its own copy */
    blocks->charged = 0;
    cg_exchange_add(gateway, exchange, &blocks->arrival);
    free_blocks(exchange, blocks);
    ask->blocks = NULL;
    cg_ask_end(gateway, ask);
    cg_gateway_wake(gateway, exchange);
}

/* A further block is of the same representation, and the one that was asked for; it may be smaller (RFC 7959 §2.4). */
static bool fits(const struct cg_ask *ask, const struct cg_opened *opened, struct block *block) {
    const struct cg_exchange *exchange = ask->exchange;
    const struct cg_blocks *blocks = ask->blocks;
    if (!cg_forwardable(opened->options, exchange->mapping->security, &exchange->config->options)) return false;
    return opened->code == blocks->opened.code && find_block2(opened, block) == BLOCK2_ONE &&
           block->szx <= blocks->szx && (size_t)block->number * size_of(block) == blocks->body.len &&
           has_its_size(block, opened->payload.len) &&
           cg_slice_equal(etag_of(opened->options), etag_of(blocks->opened.options));
}

static void ask_next(struct cg_gateway *gateway, struct cg_ask *ask, const struct block *last) {
    ask->echo_len = 0;
    ask->blocks->szx = last->szx;
    ask->blocks->next = last->number + 1;
    cg_ask_go_on(gateway, ask);
}

void cg_blocks_take(struct cg_gateway *gateway, struct cg_ask *ask, const struct cg_opened *opened) {
    struct block block;
    if (!fits(ask, opened, &block) || !put_block(ask->exchange, ask->blocks, opened->payload)) {
        cg_ask_give_up(gateway, ask);
    } else if (block.more) {
        ask_next(gateway, ask, &block);
    } else {
        finish(gateway, ask);
    }
}

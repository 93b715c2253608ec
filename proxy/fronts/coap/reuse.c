/* The rules. The hard thing is what counts for "the same request": RFC 7641 §3.3.1 leaves ETag out, a challenge puts
 * Echo in, and Block1 numbers single messages of one request. What the client has protected is another message each
 * time (RFC 8613 §4.1.3.5.1), so of such requests only what this hop reads is compared. */
#include "fronts/coap/reuse.h"

#include <sodium.h>

/* ---- The same request ---- */

static bool is_of_one_message(uint16_t number) {
    switch (number) {
    case CG_OPT_ETAG:
    case CG_OPT_OBSERVE:
    case CG_OPT_OSCORE:
    case CG_OPT_BLOCK1:
    case CG_OPT_SIZE1:
    case CG_OPT_ECHO: return true;
    default: return false;
    }
}

static void add_option(crypto_generichash_state *hash, const struct cg_opt *option) {
    uint32_t head[2] = {option->number, (uint32_t)option->value.len};
    crypto_generichash_update(hash, (const uint8_t *)head, sizeof head);
    crypto_generichash_update(hash, option->value.data, option->value.len);
}

static void hash_into(uint8_t to[CG_REQUEST_MARK], struct cg_slice bytes) {
    crypto_generichash(to, CG_REQUEST_MARK, bytes.data, bytes.len, NULL, 0);
}

static uint32_t uint_of(struct cg_slice value) { return value.len > 4 ? UINT32_MAX : cg_uint_parse(value); }

static void note_option(struct cg_request_mark *mark, const struct cg_opt *option) {
    if (option->number == CG_OPT_OSCORE) {
        mark->is_protected = true;
        hash_into(mark->protection, option->value);
    } else if (option->number == CG_OPT_OBSERVE) {
        mark->has_observe = true;
        mark->observe = uint_of(option->value);
    } else if (option->number == CG_OPT_BLOCK1) {
        mark->has_block1 = true;
        mark->block_number = uint_of(option->value) >> 4;
    }
}

void cg_request_mark(struct cg_request_mark *mark, const struct cg_coap_message *request) {
    const struct cg_msg msg = {.options = request->options};
    crypto_generichash_state hash;
    struct cg_opt_iter iter;
    struct cg_opt option;
    *mark = (struct cg_request_mark){0};
    crypto_generichash_init(&hash, NULL, 0, sizeof mark->head);
    crypto_generichash_update(&hash, &request->code, 1);
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &option)) {
        note_option(mark, &option);
        if (!is_of_one_message(option.number)) add_option(&hash, &option);
    }
    crypto_generichash_final(&hash, mark->head, sizeof mark->head);
    hash_into(mark->payload, request->payload);
}

static bool has_same_head(const struct cg_request_mark *a, const struct cg_request_mark *b) {
    return memcmp(a->head, b->head, sizeof a->head) == 0;
}

static bool has_same_protection(const struct cg_request_mark *a, const struct cg_request_mark *b) {
    return a->is_protected == b->is_protected && memcmp(a->protection, b->protection, sizeof a->protection) == 0;
}

static bool is_same(const struct cg_request_mark *a, const struct cg_request_mark *b) {
    if (!has_same_head(a, b) || a->is_protected != b->is_protected) return false;
    return a->is_protected || memcmp(a->payload, b->payload, sizeof a->payload) == 0;
}

/* ---- The rules ---- */

/* What runs came with its last block, so that no number is above it; a first one would begin another body. */
static bool is_block_of(const struct cg_request_mark *running, const struct cg_request_mark *now) {
    return running->has_block1 && now->has_block1 && now->block_number > 0 &&
           now->block_number <= running->block_number && has_same_head(running, now) &&
           has_same_protection(running, now);
}

enum cg_reuse cg_reuse_of(const struct cg_request_mark *running, const struct cg_request_mark *now, bool is_stop) {
    if (is_stop) return CG_REUSE_STOPS;
    if (now->has_observe && now->observe <= 1 && is_same(running, now)) {
        return now->observe == 0 ? CG_REUSE_RENEWS : CG_REUSE_CANCELS;
    }
    return is_block_of(running, now) ? CG_REUSE_CONTINUES : CG_REUSE_COLLIDES;
}

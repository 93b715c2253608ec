/* Tokens: a serial number, and 32 bits that nobody can guess (RFC 7252 §5.3.1). The serial number alone keeps a token
 * from coming again for 2^32 requests, far longer than 500 s (R32, RFC 10020 "Token Reuse"), whatever the random source
 * does; so nothing has to be remembered and nothing can run out. The hard thing: late answers are still to be counted
 * under their mapping, by a ring of spent tokens that forgets instead of growing. */
#include "legs/engine.h"
#include "legs/leg.h"

#include <stdlib.h>

enum {
    SERIAL_LEN = 4,
    SPENT_FIRST = 1 << 10,
    SPENT_MAX = 1 << 18, /* 500 s at 500 requests per second: 6 MiB */
};

/* The number shows as nothing that could be taken for a pattern: the random half covers it. */
static uint32_t serial_of(const uint8_t bytes[CG_TOKEN_MAX]) {
    uint32_t serial = 0;
    for (int i = 0; i < SERIAL_LEN; i++) serial = serial << 8 | (bytes[i] ^ bytes[SERIAL_LEN + i]);
    return serial;
}

static void put_serial(uint8_t bytes[CG_TOKEN_MAX], uint32_t serial) {
    for (int i = 0; i < SERIAL_LEN; i++) bytes[i] = (uint8_t)(serial >> (24 - 8 * i)) ^ bytes[SERIAL_LEN + i];
}

static struct cg_token_entry *find(struct cg_engine *engine, const uint8_t bytes[CG_TOKEN_MAX]) {
    struct cg_token_entry *entry;
    HASH_FIND(hh, engine->tokens.live, bytes, CG_TOKEN_MAX, entry);
    return entry;
}

void cg_tokens_init(struct cg_engine *engine) {
    engine->port->random(engine->port->ctx, &engine->tokens.serial, sizeof engine->tokens.serial);
}

struct cg_token_entry *cg_token_make(struct cg_engine *engine, struct cg_stats *stats) {
    struct cg_token_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    do {
        engine->port->random(engine->port->ctx, entry->bytes + SERIAL_LEN, CG_TOKEN_MAX - SERIAL_LEN);
        put_serial(entry->bytes, engine->tokens.serial++);
    } while (find(engine, entry->bytes) != NULL); /* one that has been in use for 2^32 requests */
    entry->stats = stats;
    entry->holders = 1;
    HASH_ADD(hh, engine->tokens.live, bytes, sizeof entry->bytes, entry);
    if (CG_HASH_HAS(hh, entry)) return entry;
    free(entry);
    return NULL;
}

struct cg_token_entry *cg_token_find(struct cg_engine *engine, const struct cg_token *token) {
    if (token->len != CG_TOKEN_MAX) return NULL;
    struct cg_token_entry *last = engine->tokens.last_match;
    if (last != NULL && memcmp(last->bytes, token->bytes, CG_TOKEN_MAX) == 0) return last;
    struct cg_token_entry *entry = find(engine, token->bytes);
    if (entry != NULL) engine->tokens.last_match = entry;
    return entry;
}

/* Spent ones. */

static bool is_remembered(const struct cg_engine *engine, const struct cg_spent_token *spent) {
    return spent->stats != NULL && engine->now_us - spent->spent_us < CG_TOKEN_LATE_US;
}

static struct cg_spent_token *place_of(const struct cg_tokens *tokens, uint32_t serial) {
    return &tokens->spent[serial & (tokens->spent_size - 1)];
}

/* Twice the room; where there is no memory for it, it stays as it is. */
static void grow(struct cg_tokens *tokens) {
    struct cg_tokens wider = {.spent_size = tokens->spent_size == 0 ? SPENT_FIRST : 2 * tokens->spent_size};
    wider.spent = calloc(wider.spent_size, sizeof *wider.spent);
    if (wider.spent == NULL) return;
    for (uint32_t i = 0; i < tokens->spent_size; i++) {
        const struct cg_spent_token *spent = &tokens->spent[i];
        if (spent->stats != NULL) *place_of(&wider, serial_of(spent->bytes)) = *spent;
    }
    free(tokens->spent);
    tokens->spent = wider.spent;
    tokens->spent_size = wider.spent_size;
}

static void remember(struct cg_engine *engine, const struct cg_token_entry *entry) {
    struct cg_tokens *tokens = &engine->tokens;
    uint32_t serial = serial_of(entry->bytes);
    if (tokens->spent_size == 0) grow(tokens);
    if (tokens->spent_size == 0) return;
    while (tokens->spent_size < SPENT_MAX && is_remembered(engine, place_of(tokens, serial))) {
        uint32_t before = tokens->spent_size;
        grow(tokens);
        if (tokens->spent_size == before) break;
    }
    struct cg_spent_token *spent = place_of(tokens, serial);
    memcpy(spent->bytes, entry->bytes, sizeof spent->bytes);
    spent->stats = entry->stats;
    spent->spent_us = engine->now_us;
    spent->settled = entry->settled || (entry->leg != NULL && entry->leg->settled);
}

void cg_token_disown(struct cg_token_entry *entry) {
    entry->settled = entry->leg->settled;
    entry->leg = NULL;
}

void cg_token_spend(struct cg_engine *engine, struct cg_token_entry *entry) {
    if (--entry->holders > 0) return;
    remember(engine, entry);
    if (engine->tokens.last_match == entry) engine->tokens.last_match = NULL;
    HASH_DEL(engine->tokens.live, entry);
    free(entry);
}

static const struct cg_spent_token *find_spent(const struct cg_engine *engine, const struct cg_token *token) {
    const struct cg_tokens *tokens = &engine->tokens;
    if (token->len != CG_TOKEN_MAX || tokens->spent_size == 0) return NULL;
    const struct cg_spent_token *spent = place_of(tokens, serial_of(token->bytes));
    bool is_it = is_remembered(engine, spent) && memcmp(spent->bytes, token->bytes, CG_TOKEN_MAX) == 0;
    return is_it ? spent : NULL;
}

struct cg_stats *cg_token_late(const struct cg_engine *engine, const struct cg_token *token) {
    const struct cg_spent_token *spent = find_spent(engine, token);
    return spent == NULL ? NULL : spent->stats;
}

bool cg_token_is_settled(const struct cg_engine *engine, const struct cg_token *token) {
    const struct cg_spent_token *spent = find_spent(engine, token);
    return spent != NULL && spent->settled;
}

void cg_tokens_fini(struct cg_engine *engine) {
    struct cg_token_entry *entry, *next;
    HASH_ITER(hh, engine->tokens.live, entry, next) {
        HASH_DEL(engine->tokens.live, entry);
        free(entry);
    }
    free(engine->tokens.spent);
}

/* Tokens: 8 random bytes, never the same twice inside 500 s (R32, RFC 10020 "Token Reuse"), also when the random source
 * repeats itself. The hard thing: the memory of spent tokens is bounded, and running out refuses requests instead of
 * forgetting. */
#include "core/state.h"

#include <stdlib.h>

static struct cg_token_entry *find(struct cg_gateway *gateway, const uint8_t bytes[CG_TOKEN_MAX]) {
    struct cg_token_entry *entry;
    HASH_FIND(hh, gateway->tokens, bytes, CG_TOKEN_MAX, entry);
    return entry;
}

struct cg_token_entry *cg_token_make(struct cg_gateway *gateway, struct cg_stats *stats) {
    cg_tokens_purge(gateway);
    if (HASH_COUNT(gateway->tokens) >= CG_TOKENS_MAX) return NULL;
    struct cg_token_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    do {
        gateway->port->random(gateway->port->ctx, entry->bytes, sizeof entry->bytes);
    } while (find(gateway, entry->bytes) != NULL);
    entry->stats = stats;
    entry->reusable_us = gateway->now_us + CG_TOKEN_REUSE_US;
    HASH_ADD(hh, gateway->tokens, bytes, sizeof entry->bytes, entry);
    if (gateway->newest_token == NULL) {
        gateway->oldest_token = entry;
    } else {
        gateway->newest_token->next = entry;
    }
    gateway->newest_token = entry;
    return entry;
}

struct cg_token_entry *cg_token_find(struct cg_gateway *gateway, const struct cg_token *token) {
    if (token->len != CG_TOKEN_MAX) return NULL;
    struct cg_token_entry *last = gateway->last_match;
    if (last != NULL && memcmp(last->bytes, token->bytes, CG_TOKEN_MAX) == 0) return last;
    struct cg_token_entry *entry = find(gateway, token->bytes);
    if (entry != NULL) gateway->last_match = entry;
    return entry;
}

void cg_token_spend(struct cg_gateway *gateway, struct cg_token_entry *entry) {
    entry->cast = NULL;
    entry->ask = NULL;
    entry->reusable_us = gateway->now_us + CG_TOKEN_REUSE_US;
}

static struct cg_token_entry *take_oldest(struct cg_gateway *gateway) {
    struct cg_token_entry *entry = gateway->oldest_token;
    gateway->oldest_token = entry->next;
    if (gateway->oldest_token == NULL) gateway->newest_token = NULL;
    entry->next = NULL;
    return entry;
}

static void forget(struct cg_gateway *gateway, struct cg_token_entry *entry) {
    if (gateway->last_match == entry) gateway->last_match = NULL;
    HASH_DEL(gateway->tokens, entry);
    free(entry);
}

void cg_tokens_purge(struct cg_gateway *gateway) {
    while (gateway->oldest_token != NULL && gateway->oldest_token->reusable_us <= gateway->now_us) {
        struct cg_token_entry *entry = take_oldest(gateway);
        if (entry->cast == NULL && entry->ask == NULL) {
            forget(gateway, entry);
            continue;
        }
        entry->reusable_us = gateway->now_us + CG_TOKEN_REUSE_US; /* still in use: to the back of the line */
        if (gateway->newest_token == NULL) {
            gateway->oldest_token = entry;
        } else {
            gateway->newest_token->next = entry;
        }
        gateway->newest_token = entry;
    }
}

void cg_tokens_fini(struct cg_gateway *gateway) {
    while (gateway->oldest_token != NULL) forget(gateway, take_oldest(gateway));
}

/* Budgets. The hard thing: a bucket must be forgotten only when forgetting changes nothing, i.e. when it is full. */
#include "model/budget.h"

#include <stdio.h>
#include <stdlib.h>

static void refill(struct cg_bucket *bucket, uint64_t now_us) {
    cg_allowance_fill(&bucket->requests, bucket->capacity, bucket->capacity / 60, now_us);
}

/* Known by an address, of which there are more than memory for their rows. */
static bool is_stranger(const char *account) { return account[0] == '@'; }

int cg_budget_take(struct cg_budgets *budgets, const struct cg_mapping *mapping, const char *account, uint64_t now_us,
                   uint32_t *retry_after) {
    if (mapping->requests_per_minute == 0) return CG_OK;
    char key[CG_BUDGET_KEY_MAX];
    snprintf(key, sizeof key, "%s\n%s", mapping->name, account);
    struct cg_bucket *bucket;
    HASH_FIND_STR(budgets->buckets, key, bucket);
    if (bucket == NULL && is_stranger(account) && HASH_COUNT(budgets->buckets) >= CG_BUDGET_STRANGERS_MAX) {
        *retry_after = 60; /* by when all that are there are full again, and forgotten */
        return CG_E_RATE;
    }
    if (bucket == NULL) {
        bucket = calloc(1, sizeof *bucket);
        if (bucket == NULL) return CG_E_NO_MEMORY;
        memcpy(bucket->key, key, sizeof key);
        bucket->requests = (struct cg_allowance){.left = mapping->requests_per_minute, .filled_us = now_us};
        HASH_ADD_STR(budgets->buckets, key, bucket);
        if (!CG_HASH_HAS(hh, bucket)) {
            free(bucket);
            return CG_E_NO_MEMORY;
        }
    }
    bucket->capacity = mapping->requests_per_minute; /* a reload may have changed it */
    refill(bucket, now_us);
    if (bucket->requests.left >= 1) {
        bucket->requests.left -= 1;
        return CG_OK;
    }
    *retry_after = (uint32_t)((1 - bucket->requests.left) * 60 / bucket->capacity) + 1;
    return CG_E_RATE;
}

static struct cg_usage *usage_of(struct cg_budgets *budgets, const char *account) {
    struct cg_usage *found;
    HASH_FIND_STR(budgets->usages, account, found);
    if (found != NULL) return found;
    found = calloc(1, sizeof *found);
    if (found == NULL) return NULL;
    snprintf(found->key, sizeof found->key, "%s", account);
    HASH_ADD_STR(budgets->usages, key, found);
    if (CG_HASH_HAS(hh, found)) return found;
    free(found);
    return NULL;
}

uint32_t cg_budget_running(const struct cg_budgets *budgets, const char *account, enum cg_place_kind kind) {
    const struct cg_usage *found;
    HASH_FIND_STR(budgets->usages, account, found);
    return found == NULL ? 0 : found->running[kind];
}

/* In place of the one before. */
static void forget_if_unused(struct cg_budgets *budgets, struct cg_usage *usage) {
    struct cg_usage *before = budgets->unused;
    for (size_t kind = 0; kind < CG_PLACE_KINDS; kind++) {
        if (usage->running[kind] > 0) return;
    }
    budgets->unused = usage;
    if (before == NULL || before == usage) return;
    HASH_DEL(budgets->usages, before);
    free(before);
}

int cg_budget_enter(struct cg_budgets *budgets, const char *account, enum cg_place_kind kind, uint32_t max,
                    struct cg_usage **usage) {
    struct cg_usage *found = usage_of(budgets, account);
    if (found == NULL) return CG_E_NO_MEMORY;
    if (found->running[kind] >= max) {
        forget_if_unused(budgets, found);
        return CG_E_RATE;
    }
    if (found == budgets->unused) budgets->unused = NULL;
    found->running[kind]++;
    *usage = found;
    return CG_OK;
}

void cg_budget_leave(struct cg_budgets *budgets, struct cg_usage *usage, enum cg_place_kind kind) {
    if (usage == NULL) return;
    usage->running[kind]--;
    forget_if_unused(budgets, usage);
}

bool cg_budgets_purge(struct cg_budgets *budgets, uint64_t now_us, size_t *rows) {
    struct cg_bucket *bucket;
    CG_HASH_SWEEP(budgets->buckets, budgets->sweep, bucket, *rows) {
        refill(bucket, now_us);
        if (bucket->requests.left < bucket->capacity) continue;
        HASH_DEL(budgets->buckets, bucket);
        free(bucket);
    }
    return budgets->sweep != NULL;
}

void cg_budgets_fini(struct cg_budgets *budgets) {
    struct cg_bucket *bucket, *next_bucket;
    HASH_ITER(hh, budgets->buckets, bucket, next_bucket) {
        HASH_DEL(budgets->buckets, bucket);
        free(bucket);
    }
    struct cg_usage *usage, *next_usage;
    HASH_ITER(hh, budgets->usages, usage, next_usage) {
        HASH_DEL(budgets->usages, usage);
        free(usage);
    }
}

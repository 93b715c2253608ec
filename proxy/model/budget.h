/* Request budgets: a token bucket per mapping and client holding one minute's worth, refilled evenly; and how many
 * exchanges each client has running. Both are kept by account (cg_request_account), so a reload forgives nothing. */
#ifndef CG_MODEL_BUDGET_H
#define CG_MODEL_BUDGET_H

#include "model/allowance.h"
#include "model/request.h"

#define CG_BUDGET_KEY_MAX       (CG_NAME_MAX + 1 + CG_ACCOUNT_MAX)
#define CG_BUDGET_STRANGERS_MAX 65536 /* buckets, beyond which nobody gets one who is known by an address only */

struct cg_bucket {
    char key[CG_BUDGET_KEY_MAX]; /* mapping, newline, account */
    struct cg_allowance requests;
    double capacity; /* the budget, requests a minute */
    UT_hash_handle hh;
};

/* What an exchange takes a place of. */
enum cg_place_kind { CG_PLACE_EXCHANGE, CG_PLACE_OBSERVER, CG_PLACE_KINDS };

struct cg_usage {
    char key[CG_ACCOUNT_MAX];
    uint32_t running[CG_PLACE_KINDS];
    UT_hash_handle hh;
};

struct cg_budgets {
    struct cg_bucket *buckets; /* uthash heads */
    struct cg_usage *usages;
    struct cg_usage *unused; /* of them the one that has none running, kept for who comes again at once; NULL: none */
    struct cg_bucket *sweep; /* where purging goes on */
};

/* Takes one request's worth. CG_E_RATE with *retry_after in seconds, CG_E_NO_MEMORY. */
int cg_budget_take(struct cg_budgets *budgets, const struct cg_mapping *mapping, const char *account, uint64_t now_us,
                   uint32_t *retry_after) CG_MUST_CHECK;

/* One more running exchange of that account: CG_E_RATE at `max` of this kind, CG_E_NO_MEMORY. The usage stays valid
 * until it is given back. */
int cg_budget_enter(struct cg_budgets *budgets, const char *account, enum cg_place_kind kind, uint32_t max,
                    struct cg_usage **usage) CG_MUST_CHECK;
/* How many of this kind it has. */
uint32_t cg_budget_running(const struct cg_budgets *budgets, const char *account, enum cg_place_kind kind);
void cg_budget_leave(struct cg_budgets *budgets, struct cg_usage *usage, enum cg_place_kind kind); /* NULL is fine */

/* Forgets buckets that are full again: looks at so many at the most, and counts them down. True: there are more to look
 * at. */
bool cg_budgets_purge(struct cg_budgets *budgets, uint64_t now_us, size_t *rows);
void cg_budgets_fini(struct cg_budgets *budgets);

#endif

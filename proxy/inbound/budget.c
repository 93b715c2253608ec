/* Token buckets, counted from full (0) downwards so that zeroed ones are full. */
#include "inbound/budget.h"

#include "base/check.h"

struct bucket {
    double burst, rate;
};

static const struct bucket home = {CG_ALERT_HOME / 4., CG_ALERT_HOME},
                           elsewhere = {CG_ALERT_ELSEWHERE / 4., CG_ALERT_ELSEWHERE},
                           home_all = {CG_ALERT_HOME_ALL / 4., CG_ALERT_HOME_ALL},
                           elsewhere_all = {CG_ALERT_ELSEWHERE_ALL / 4., CG_ALERT_ELSEWHERE_ALL},
                           reports = {CG_ALERT_REPORTS, CG_ALERT_REPORTS_RATE}, challenges = {CG_ALERT_CHALLENGES, .5},
                           challenges_all = {CG_ALERT_CHALLENGES_ALL, CG_ALERT_CHALLENGES_ALL_RATE},
                           refusals = {CG_ALERT_REFUSALS, CG_ALERT_REFUSALS_RATE};

/* What is left of it when so many of those that run fail as well. */
static bool has_one(const struct cg_allowance *allowance, const struct bucket *bucket, unsigned running,
                    uint64_t now_us) {
    struct cg_allowance now = *allowance;
    cg_allowance_fill(&now, 0, bucket->rate, now_us);
    return bucket->burst + now.left - running >= 1;
}

static void take_one(struct cg_allowance *allowance, const struct bucket *bucket, uint64_t now_us) {
    cg_allowance_fill(allowance, 0, bucket->rate, now_us);
    if (bucket->burst + allowance->left > 0) allowance->left -= 1;
}

static bool try_one(struct cg_allowance *allowance, const struct bucket *bucket, uint64_t now_us) {
    if (!has_one(allowance, bucket, 0, now_us)) return false;
    take_one(allowance, bucket, now_us);
    return true;
}

static bool is_untouched(const struct cg_allowance *allowance, const struct bucket *bucket, uint64_t now_us) {
    struct cg_allowance now = *allowance;
    cg_allowance_fill(&now, 0, bucket->rate, now_us);
    return now.left >= 0;
}

/* Of all members: what runs may be forged as well once something was. */
static bool all_have_one(const struct cg_allowance *allowance, const struct bucket *bucket, unsigned running,
                         uint64_t now_us) {
    return is_untouched(allowance, bucket, now_us) || has_one(allowance, bucket, running, now_us);
}

static bool may_check(const struct cg_alert_budget *budget, const struct cg_incoming *incoming, uint64_t now_us) {
    const struct cg_server_account *account = incoming->account;
    unsigned running = incoming->is_home ? account->home_running : account->elsewhere_running;
    if (budget->home_running + budget->elsewhere_running >= CG_ALERT_RUNNING || running >= CG_ALERT_RUNNING_MEMBER)
        return false;
    if (incoming->is_home)
        return has_one(&account->home, &home, running, now_us) &&
               all_have_one(&budget->home, &home_all, budget->home_running, now_us);
    return has_one(&account->elsewhere, &elsewhere, running, now_us) &&
           all_have_one(&budget->elsewhere, &elsewhere_all, budget->elsewhere_running, now_us);
}

bool cg_alert_budget_allows(const struct cg_alert_budget *budget, const struct cg_incoming *incoming, uint64_t now_us) {
    if (!has_one(&incoming->account->alerts, &reports, 0, now_us)) return false;
    return !incoming->is_signed || may_check(budget, incoming, now_us);
}

static unsigned *running_in(struct cg_alert_budget *budget, const struct cg_incoming *incoming) {
    return incoming->is_home ? &budget->home_running : &budget->elsewhere_running;
}

static unsigned *running_of(const struct cg_incoming *incoming) {
    return incoming->is_home ? &incoming->account->home_running : &incoming->account->elsewhere_running;
}

void cg_alert_budget_begin(struct cg_alert_budget *budget, const struct cg_incoming *incoming) {
    if (!incoming->is_signed) return;
    *running_in(budget, incoming) += 1;
    *running_of(incoming) += 1;
}

static void note_failure(struct cg_alert_budget *budget, const struct cg_incoming *incoming, uint64_t now_us) {
    struct cg_server_account *account = incoming->account;
    if (incoming->is_home) {
        take_one(&account->home, &home, now_us);
        take_one(&budget->home, &home_all, now_us);
    } else {
        take_one(&account->elsewhere, &elsewhere, now_us);
        take_one(&budget->elsewhere, &elsewhere_all, now_us);
    }
}

void cg_alert_budget_end(struct cg_alert_budget *budget, const struct cg_incoming *incoming,
                         enum cg_alert_outcome outcome, uint64_t now_us) {
    if (!incoming->is_signed) return;
    CG_CHECK(*running_in(budget, incoming) > 0 && *running_of(incoming) > 0);
    *running_in(budget, incoming) -= 1;
    *running_of(incoming) -= 1;
    if (outcome == CG_ALERT_WAS_BAD) note_failure(budget, incoming, now_us);
}

void cg_alert_budget_tell(const struct cg_incoming *incoming, uint64_t now_us) {
    take_one(&incoming->account->alerts, &reports, now_us);
}

bool cg_alert_budget_challenge(struct cg_alert_budget *budget, const struct cg_incoming *incoming, uint64_t now_us) {
    if (!has_one(&budget->challenges, &challenges_all, 0, now_us)) return false;
    if (!try_one(&incoming->account->challenges, &challenges, now_us)) return false;
    take_one(&budget->challenges, &challenges_all, now_us);
    return true;
}

bool cg_alert_budget_refuse(struct cg_alert_budget *budget, uint64_t now_us) {
    return try_one(&budget->refusals, &refusals, now_us);
}

/* The accounts of forgers and forged. The hard thing: a genuine member must never be among those who pay, however many
 * others use its kid, its address or its network. */
#include "group_oscore/forgeries.h"

#include <stdlib.h>

static struct cg_source *find_source(const struct cg_forgeries *forgeries, const struct cg_addr *key) {
    struct cg_source *source;
    HASH_FIND(hh, forgeries->sources, key, sizeof *key, source);
    return source;
}

static unsigned failures_of(const struct cg_forgeries *forgeries, const struct cg_addr *from) {
    if (forgeries->sources == NULL) return 0;
    const struct cg_addr key = cg_addr_network(from);
    const struct cg_source *source = find_source(forgeries, &key);
    return source == NULL ? 0 : source->failures;
}

struct cg_allowance cg_failures_now(const struct cg_allowance *allowance, unsigned per_second, uint64_t now_us) {
    struct cg_allowance now = *allowance;
    cg_allowance_fill(&now, 0, per_second, now_us);
    return now;
}

static struct cg_allowance gateway_now(const struct cg_allowance *of_all, uint64_t now_us) {
    return cg_failures_now(of_all, CG_FAILURES_GATEWAY_RATE, now_us);
}

static struct cg_allowance home_now(const struct cg_kid_account *account, uint64_t now_us) {
    return cg_failures_now(&account->home, CG_FAILURES_HOME_RATE, now_us);
}

/* Where it is flooded it owes nothing: it has the next one as soon as ever. */
static void charge_home(struct cg_kid_account *account, uint64_t now_us) {
    account->home = home_now(account, now_us);
    account->home.left -= 1;
    if (account->home.left < -CG_FAILURES_HOME) account->home.left = -CG_FAILURES_HOME;
}

/* Periods */

static bool is_over(const struct cg_forgeries *forgeries, uint64_t now_us) {
    return forgeries->failures > 0 && now_us - forgeries->begun_us >= CG_FAILURES_PERIOD_US;
}

static unsigned failures_under(const struct cg_forgeries *forgeries, const struct cg_kid_account *account) {
    return account->period == forgeries->period ? account->failures : 0;
}

static void begin_anew(struct cg_forgeries *forgeries) {
    struct cg_source *source, *next;
    forgeries->failures = 0;
    forgeries->period++;
    HASH_ITER(hh, forgeries->sources, source, next) {
        source->failures = 0;
        cg_forgeries_drop(forgeries, source);
    }
}

/* More than what binds the whole cast need not be known of its sources, and would be a row for each address that a
 * forger can think of. */
static void count_failure(struct cg_forgeries *forgeries, struct cg_kid_account *account, const struct cg_addr *from,
                          uint64_t now_us) {
    if (is_over(forgeries, now_us)) begin_anew(forgeries);
    account->failures = failures_under(forgeries, account) + 1;
    account->period = forgeries->period;
    if (forgeries->failures == 0) forgeries->begun_us = now_us;
    if (forgeries->failures++ >= CG_FAILURES_CAST) return;
    struct cg_source *source = cg_forgeries_source(forgeries, from, false);
    if (source != NULL) source->failures++;
}

/* Verifications */

static bool has_common(const struct cg_forgeries *forgeries, const struct cg_addr *from) {
    return forgeries->failures + forgeries->running - forgeries->members < CG_FAILURES_CAST &&
           failures_of(forgeries, from) < CG_FAILURES_SOURCE;
}

bool cg_forgeries_allow(const struct cg_forgeries *forgeries, const struct cg_allowance *of_all, uint64_t now_us,
                        const struct cg_kid_account *account, const struct cg_addr *from, bool at_home) {
    const bool is_new = is_over(forgeries, now_us);
    unsigned of_kid = account->running + (is_new ? 0 : failures_under(forgeries, account));
    if (of_kid == 0) return true;
    if (at_home && home_now(account, now_us).left - account->at_home >= 1 - CG_FAILURES_HOME) return true;
    return of_kid < CG_FAILURES_KID && (is_new || has_common(forgeries, from)) &&
           gateway_now(of_all, now_us).left >= 1 - CG_FAILURES_GATEWAY;
}

void cg_forgeries_begin(struct cg_forgeries *forgeries, struct cg_kid_account *account, bool at_home) {
    forgeries->running++;
    if (account->running++ == 0) forgeries->members++;
    if (at_home) account->at_home++;
}

void cg_forgeries_end(struct cg_forgeries *forgeries, struct cg_kid_account *account, bool at_home) {
    forgeries->running--;
    if (--account->running == 0) forgeries->members--;
    if (at_home) account->at_home--;
}

void cg_forgeries_fail(struct cg_forgeries *forgeries, struct cg_allowance *of_all, uint64_t now_us,
                       struct cg_kid_account *account, const struct cg_addr *from, bool at_home) {
    cg_forgeries_end(forgeries, account, at_home);
    if (at_home) charge_home(account, now_us);
    *of_all = gateway_now(of_all, now_us);
    of_all->left -= 1;
    count_failure(forgeries, account, from, now_us);
}

struct cg_source *cg_forgeries_source(struct cg_forgeries *forgeries, const struct cg_addr *from, bool home) {
    struct cg_addr key = cg_addr_network(from);
    key.port = home;
    struct cg_source *source = find_source(forgeries, &key);
    if (source != NULL) return source;
    source = calloc(1, sizeof *source);
    if (source == NULL) return NULL;
    source->from = key;
    source->home = home;
    HASH_ADD(hh, forgeries->sources, from, sizeof source->from, source);
    if (CG_HASH_HAS(hh, source)) return source;
    free(source);
    return NULL;
}

void cg_forgeries_drop(struct cg_forgeries *forgeries, struct cg_source *source) {
    if (source->failures > 0 || source->waiting != NULL) return;
    HASH_DEL(forgeries->sources, source);
    free(source);
}

void cg_forgeries_fini(struct cg_forgeries *forgeries) {
    struct cg_source *source, *next;
    HASH_ITER(hh, forgeries->sources, source, next) {
        HASH_DEL(forgeries->sources, source);
        free(source);
    }
}

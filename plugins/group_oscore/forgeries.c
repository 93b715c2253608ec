/* The accounts of forgers and forged. The hard thing: a genuine member must never be among those who pay, however many
 * others use its kid, its address or its network. */
#include "group_oscore/forgeries.h"

#include <stdlib.h>

enum { PREFIX_LEN = 8 }; /* a /64 */

struct cg_addr cg_source_of(const struct cg_addr *from) {
    struct cg_addr source = {.family = from->family};
    memcpy(source.ip, from->ip, from->family == CG_FAMILY_IPV6 ? PREFIX_LEN : sizeof source.ip);
    return source;
}

static struct cg_source *find_source(const struct cg_forgeries *forgeries, const struct cg_addr *key) {
    struct cg_source *source;
    HASH_FIND(hh, forgeries->sources, key, sizeof *key, source);
    return source;
}

static unsigned failures_of(const struct cg_forgeries *forgeries, const struct cg_addr *from) {
    if (forgeries->sources == NULL) return 0;
    const struct cg_addr key = cg_source_of(from);
    const struct cg_source *source = find_source(forgeries, &key);
    return source == NULL ? 0 : source->failures;
}

static struct cg_allowance filled(const struct cg_allowance *of_all, uint64_t now_us) {
    struct cg_allowance now = *of_all;
    cg_allowance_fill(&now, 0, CG_FAILURES_GATEWAY_RATE, now_us);
    return now;
}

bool cg_forgeries_allow(const struct cg_forgeries *forgeries, const struct cg_allowance *of_all, uint64_t now_us,
                        const struct cg_kid_account *account, const struct cg_addr *from, bool at_home) {
    unsigned of_kid = account->failures + account->running;
    if (of_kid == 0) return true;
    if (at_home && account->at_home < CG_FAILURES_HOME) return true;
    return of_kid < CG_FAILURES_KID &&
           forgeries->failures + forgeries->running - forgeries->members < CG_FAILURES_CAST &&
           failures_of(forgeries, from) < CG_FAILURES_SOURCE && filled(of_all, now_us).left >= 1 - CG_FAILURES_GATEWAY;
}

void cg_forgeries_begin(struct cg_forgeries *forgeries, struct cg_kid_account *account, bool at_home) {
    forgeries->running++;
    if (account->running++ == 0) forgeries->members++;
    if (at_home) account->at_home++;
}

static void stop_running(struct cg_forgeries *forgeries, struct cg_kid_account *account) {
    forgeries->running--;
    if (--account->running == 0) forgeries->members--;
}

void cg_forgeries_end(struct cg_forgeries *forgeries, struct cg_kid_account *account, bool at_home) {
    stop_running(forgeries, account);
    if (at_home) account->at_home--;
}

void cg_forgeries_fail(struct cg_forgeries *forgeries, struct cg_allowance *of_all, uint64_t now_us,
                       struct cg_kid_account *account, const struct cg_addr *from) {
    stop_running(forgeries, account);
    account->failures++;
    forgeries->failures++;
    *of_all = filled(of_all, now_us);
    of_all->left -= 1;
    struct cg_source *source = cg_forgeries_source(forgeries, from);
    if (source != NULL) source->failures++;
}

struct cg_source *cg_forgeries_source(struct cg_forgeries *forgeries, const struct cg_addr *from) {
    const struct cg_addr key = cg_source_of(from);
    struct cg_source *source = find_source(forgeries, &key);
    if (source != NULL) return source;
    source = calloc(1, sizeof *source);
    if (source == NULL) return NULL;
    source->from = key;
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

/* Groups are few and named by the settings; what others send is one row. */
#include "inbound/tally.h"

#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>

#define QUIET_US (60 * UINT64_C(1000000))

static const char *const slugs[CG_ALERT_FATES] = {
    [CG_ALERT_ACCEPTED] = "accepted",     [CG_ALERT_REPLAYED] = "replayed",   [CG_ALERT_CHALLENGED] = "challenged",
    [CG_ALERT_FORGED] = "forged",         [CG_ALERT_FOREIGN] = "foreign",     [CG_ALERT_UNPROTECTED] = "unprotected",
    [CG_ALERT_WRONG_MODE] = "wrong-mode", [CG_ALERT_MALFORMED] = "malformed", [CG_ALERT_OVERLOAD] = "overload",
};

void cg_alert_tally_fini(struct cg_alert_tally *tally) {
    struct cg_alert_row *row, *next;
    HASH_ITER(hh, tally->rows, row, next) {
        HASH_DEL(tally->rows, row);
        free(row);
    }
}

static struct cg_alert_row *find(const struct cg_alert_tally *tally, const char *group) {
    struct cg_alert_row *row;
    HASH_FIND_STR(tally->rows, group, row);
    return row;
}

/* NULL: no memory. */
static struct cg_alert_row *add(struct cg_alert_tally *tally, const char *group) {
    struct cg_alert_row *row = calloc(1, sizeof *row);
    if (row == NULL) return NULL;
    strncpy(row->group, group, sizeof row->group - 1);
    HASH_ADD_STR(tally->rows, group, row);
    if (CG_HASH_HAS(hh, row)) return row;
    free(row);
    return NULL;
}

void cg_alert_count(struct cg_alert_tally *tally, const char *group, enum cg_alert_fate fate) {
    const char *name = group == NULL ? "" : group;
    struct cg_alert_row *row = find(tally, name);
    if (row == NULL) row = add(tally, name);
    if (row != NULL) row->counts[fate]++;
}

static void log_refused(const char *group, enum cg_alert_fate fate, const struct cg_addr *from, const char *claims,
                        uint64_t untold) {
    struct cg_log_line line;
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(from, text);
    cg_log_begin(&line, CG_LOG_WARNING, "alert-refused");
    cg_log_str(&line, "fate", slugs[fate]);
    if (group != NULL) cg_log_str(&line, "group", group);
    cg_log_str(&line, "from", text);
    if (claims != NULL) cg_log_str(&line, "claims_to_be", claims);
    if (untold > 0) cg_log_u64(&line, "more_since", untold);
    cg_log_end(&line);
}

void cg_alert_count_refused(struct cg_alert_tally *tally, const char *group, enum cg_alert_fate fate,
                            const struct cg_addr *from, const char *claims, uint64_t now_us) {
    cg_alert_count(tally, group, fate);
    if (now_us < tally->quiet[fate].until_us) {
        tally->quiet[fate].untold++;
        return;
    }
    log_refused(group, fate, from, claims, tally->quiet[fate].untold);
    tally->quiet[fate].untold = 0;
    tally->quiet[fate].until_us = now_us + QUIET_US;
}

uint64_t cg_alert_tally_get(const struct cg_alert_tally *tally, const char *group, enum cg_alert_fate fate) {
    const struct cg_alert_row *row = find(tally, group == NULL ? "" : group);
    return row == NULL ? 0 : row->counts[fate];
}

void cg_alert_tally_metrics(const struct cg_alert_tally *tally, struct cg_buf *to) {
    cg_buf_put_str(to, "# HELP castgate_alerts_total Requests of groups' members to alerts.listen, by what became of "
                       "them.\n# TYPE castgate_alerts_total counter\n");
    for (const struct cg_alert_row *row = tally->rows; row != NULL; row = row->hh.next) {
        for (int fate = 0; fate < CG_ALERT_FATES; fate++)
            cg_buf_printf(to, "castgate_alerts_total{group=\"%s\",fate=\"%s\"} %llu\n", row->group, slugs[fate],
                          (unsigned long long)row->counts[fate]);
    }
}

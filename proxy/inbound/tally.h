/* What became of members' requests, by group, for the metrics and the log. */
#ifndef CG_INBOUND_TALLY_H
#define CG_INBOUND_TALLY_H

#include "base/buf.h"
#include "model/alert.h"

/* Of one group; "" is what belongs to none. */
struct cg_alert_row {
    UT_hash_handle hh;
    char group[CG_NAME_MAX + 1];
    uint64_t counts[CG_ALERT_FATES];
};

/* All zero: nothing yet. */
struct cg_alert_tally {
    struct cg_alert_row *rows; /* uthash head */
    /* Of those that were refused: when the log was told last, and how many there were since. */
    struct {
        uint64_t until_us, untold;
    } quiet[CG_ALERT_FATES];
};

void cg_alert_tally_fini(struct cg_alert_tally *tally);

/* `group` NULL: none. Without memory it is not counted. */
void cg_alert_count(struct cg_alert_tally *tally, const char *group, enum cg_alert_fate fate);
/* Counts it and tells the log, of each fate once a minute. `claims`: whose kid it bears; NULL: nobody's. */
void cg_alert_count_refused(struct cg_alert_tally *tally, const char *group, enum cg_alert_fate fate,
                            const struct cg_addr *from, const char *claims, uint64_t now_us);

uint64_t cg_alert_tally_get(const struct cg_alert_tally *tally, const char *group, enum cg_alert_fate fate);
/* Prometheus text. */
void cg_alert_tally_metrics(const struct cg_alert_tally *tally, struct cg_buf *to);

#endif

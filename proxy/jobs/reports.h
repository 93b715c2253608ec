/* What groups' members report, handed on (R15, R16): each report that was accepted, so verified and no replay, in the
 * order in which they came; at once (streaming), or together where the settings give a window ("alerts.window"): then
 * the first one opens it, and all that came in it are handed on when it is over. The latest are kept for who asks
 * later. All of it is bounded, and what had no room is counted: nobody who reads slowly, or not at all, holds anything
 * up. */
#ifndef CG_JOBS_REPORTS_H
#define CG_JOBS_REPORTS_H

#include "exchange/gateway.h"
#include "model/alert.h"

#define CG_REPORTS_KEPT   1000
#define CG_REPORTS_MEMORY ((size_t)1 << 20) /* bytes, of those that are kept, and of those that wait */

struct cg_reports;

/* A report that was handed on. */
struct cg_handed {
    uint64_t index;        /* from 1, in order, without gaps */
    struct cg_alert alert; /* what it points to is the record's */
};

/* Embedded in who wants each as it is handed on; zero-initialise, then set `hear`. May leave from inside it. */
struct cg_reports_reader {
    void (*hear)(struct cg_reports_reader *reader, const struct cg_handed *handed);
    struct cg_reports_reader *previous, *next;
};

/* NULL: no memory. */
struct cg_reports *cg_reports_new(struct cg_gateway *gateway);
/* Who is to be told of each alert. */
struct cg_alert_hearer *cg_reports_hearer(struct cg_reports *reports);
/* The gateway has other settings: the window that is open ends as they say. */
void cg_reports_look(struct cg_reports *reports);

/* The first of those that are kept whose index is above that one; NULL: there is none. Valid until the loop's turn
 * ends.
 */
const struct cg_handed *cg_reports_after(const struct cg_reports *reports, uint64_t index);
/* How many were handed on, which is the index of the latest. */
uint64_t cg_reports_handed(const struct cg_reports *reports);
void cg_reports_follow(struct cg_reports *reports, struct cg_reports_reader *reader);
void cg_reports_leave(struct cg_reports *reports, struct cg_reports_reader *reader);
/* A reader had no room for so many. */
void cg_reports_missed(struct cg_reports *reports, uint64_t count);

/* Prometheus text. */
void cg_reports_metrics(const struct cg_reports *reports, struct cg_buf *to);

/* Before the gateway is freed: what waits for its window is handed on no more. NULL is fine. */
void cg_reports_free(struct cg_reports *reports);

#endif

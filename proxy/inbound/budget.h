/* What members' requests may cost, whoever really sends them. Anybody who has heard one knows its Gid and kid, and can
 * write any address into a datagram; in group mode each costs a signature check before it shows. So failures are
 * limited, by whose kid it bears, and by whether it came from that member's home: who forges from elsewhere, from
 * however many addresses, takes nothing from what is checked for the home. Where nothing fails nothing is limited but
 * how many are checked at once; so a flood of forgeries costs CG_ALERT_RUNNING checks when it begins, and from then on
 * CG_ALERT_HOME_ALL + CG_ALERT_ELSEWHERE_ALL a second.
 *
 * And what verifies is limited, too: a challenge and an answer each cost a number of ours (legs/sender.h), of which
 * there are so many a second. */
#ifndef CG_INBOUND_BUDGET_H
#define CG_INBOUND_BUDGET_H

#include "legs/server.h"

/* A second; the burst is a quarter of it. */
enum {
    CG_ALERT_HOME = 256, /* of one member */
    CG_ALERT_ELSEWHERE = 64,
    CG_ALERT_HOME_ALL = 1024, /* of all members */
    CG_ALERT_ELSEWHERE_ALL = 512,
    CG_ALERT_RUNNING = 4096, /* checks at the same time */
    CG_ALERT_RUNNING_MEMBER = 16,
};

/* Of one member, without failing. */
enum {
    CG_ALERT_REPORTS = 64, /* at once */
    CG_ALERT_REPORTS_RATE = 16,
    CG_ALERT_CHALLENGES = 4, /* at once; then one each two seconds */
    CG_ALERT_CHALLENGES_ALL = 256,
    CG_ALERT_CHALLENGES_ALL_RATE = 32,
    CG_ALERT_REFUSALS = 64, /* plain answers to what was refused, to anybody */
    CG_ALERT_REFUSALS_RATE = 64,
};

/* The gateway's. All zero at first. Allowances are counted from full (0) downwards. */
struct cg_alert_budget {
    struct cg_allowance home, elsewhere, challenges, refusals;
    unsigned home_running, elsewhere_running;
};

/* Whether it may be opened now. */
bool cg_alert_budget_allows(const struct cg_alert_budget *budget, const struct cg_incoming *incoming, uint64_t now_us);
/* Its signature is being checked, and has been: how it came out. What a request without a signature costs nobody
 * counts. */
void cg_alert_budget_begin(struct cg_alert_budget *budget, const struct cg_incoming *incoming);
enum cg_alert_outcome { CG_ALERT_WAS_GOOD, CG_ALERT_WAS_BAD };
void cg_alert_budget_end(struct cg_alert_budget *budget, const struct cg_incoming *incoming,
                         enum cg_alert_outcome outcome, uint64_t now_us);

/* One is told, or challenged, or refused: false, it is not to be. */
void cg_alert_budget_tell(const struct cg_incoming *incoming, uint64_t now_us);
bool cg_alert_budget_challenge(struct cg_alert_budget *budget, const struct cg_incoming *incoming, uint64_t now_us);
bool cg_alert_budget_refuse(struct cg_alert_budget *budget, uint64_t now_us);

#endif

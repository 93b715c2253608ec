/* Whether security groups' keys may send, asked of the store before somebody needs it: a key that nobody has claimed
 * else shows with the first request. */
#ifndef CG_APP_CLAIMS_H
#define CG_APP_CLAIMS_H

#include <uv.h>

#include "app/protector_entries.h"
#include "app/protectors.h"

#define CG_CLAIMS_SLICE 64 /* questions at once */

/* Its owner's storage, still until it is closed. */
struct cg_claims {
    struct cg_protectors *protectors;
    uv_timer_t timer;
    struct cg_store_job job;
    struct cg_store_look looks[CG_CLAIMS_SLICE];
    char latest[CG_NAME_MAX + 1]; /* the group that was asked about last */
    bool asking;
};

/* From now on every group is asked about in its turn: those whose keys are new at once, else 64 every two seconds. What
 * changes is in the log. */
void cg_claims_open(struct cg_claims *claims, struct cg_protectors *protectors, uv_loop_t *uv);
/* Keys may have changed. */
void cg_claims_hurry(struct cg_claims *claims);
/* Nothing is asked any more; the store answers what is asked already before it closes. */
void cg_claims_close(struct cg_claims *claims);

/* What the store's answer means; CG_KEY_UNKNOWN where the store itself failed. */
enum cg_key_state cg_claims_judge(const struct cg_store_look *look);
/* Why such a key does not send, and what to do, for people; NULL: it does, or nobody knows. */
const char *cg_claims_reason(enum cg_key_state state);

/* The state of the group of that name; CG_KEY_UNKNOWN where there is none. */
enum cg_key_state cg_claims_state(const struct cg_claims *claims, const char *group);

#endif

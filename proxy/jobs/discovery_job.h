/* The inside of a discovery: the job, and what its parts do for it. Others see discovery.h.
 *
 * A job has inquiries, each to a group or to a directory, of which a few run at a time; survey.c says which groups,
 * directory.c what follows from the links that are found. Ownership: inquiries are the job's until it is freed; one
 * that still runs then is on its own, and frees itself when it is over. */
#ifndef CG_JOBS_DISCOVERY_JOB_H
#define CG_JOBS_DISCOVERY_JOB_H

#include "jobs/discovery.h"
#include "jobs/findings.h"
#include "jobs/inquiry.h"
#include "jobs/place.h"

#define CG_JOB_GROUPS_MAX      256u /* groups that one job asks */
#define CG_JOB_DIRECTORIES_MAX 16u  /* look-up resources that it asks */

struct cg_job_item;

struct cg_job_item_ops {
    /* What is asked next. False: nothing any more. */
    bool (*next)(struct cg_job_item *item, struct cg_own *own);
    void (*answer)(struct cg_job_item *item, const struct cg_answer *answer, enum cg_finding_part part);
    /* One of its inquiries is over, and was not in vain. */
    void (*over)(struct cg_job_item *item, enum cg_inquiry_end how, const struct cg_view *view);
    /* It was not asked, or not to its end; `why` is static. */
    void (*left)(struct cg_job_item *item, const char *why);
    void (*release)(struct cg_job_item *item); /* frees it, the excerpt apart */
};

/* What is asked one inquiry after another. Zero-initialise, then cg_job_add. */
struct cg_job_item {
    const struct cg_job_item_ops *ops;
    struct cg_discovery *job; /* NULL: on its own */
    struct cg_inquiry inquiry;
    struct cg_finding_source source;
    struct cg_job_item *previous, *next;
    uint64_t not_before_us;
    bool is_over; /* nothing follows */
};

enum cg_survey_kind { CG_SURVEY_ALL, CG_SURVEY_MAPPING, CG_SURVEY_SECURITY_GROUP, CG_SURVEY_GROUP };

/* Which groups are asked. */
struct cg_survey {
    enum cg_survey_kind kind;
    uint32_t next; /* number of the mapping that is looked at next */
    uint32_t groups;
    bool is_done;
    const struct cg_target *targets[CG_JOB_GROUPS_MAX]; /* that are asked */
    const struct cg_security_keys *keys[CG_JOB_GROUPS_MAX];
};

enum cg_discovery_state { CG_DISCOVERY_WAITS, CG_DISCOVERY_RUNS, CG_DISCOVERY_ENDS, CG_DISCOVERY_IS_OVER };

struct cg_discovery {
    struct cg_discoveries *discoveries;
    struct cg_discovery *previous, *next;
    enum cg_discovery_state state;
    struct cg_arena arena; /* of the order, and of the items */
    const char *where;     /* NULL: all */
    struct cg_slice filter;
    uint32_t seconds;
    const struct cg_prefix *prefixes;
    size_t prefix_count;
    void (*done)(void *ctx, struct cg_discovery *discovery);
    void *ctx;
    struct cg_config *config; /* the settings that it goes by, a reference; NULL: it waits */
    struct cg_timer timer;
    uint64_t deadline_us;
    struct cg_findings findings;
    struct cg_survey survey;
    struct cg_job_item *items; /* utlist: those that are not over */
    uint32_t running, directories;
    bool is_cut; /* some of what was asked had not come */
};

struct cg_discoveries {
    struct cg_gateway *gateway;
    struct cg_protector *plain;
    struct cg_discovery *jobs; /* utlist: the first runs, the others wait, or are over */
    struct cg_timer timer;
    bool is_closed;
};

/* discovery.c */

/* It is asked when it is its turn. Its excerpt is the item's reference. */
void cg_job_add(struct cg_discovery *job, struct cg_job_item *item);
/* How long an inquiry that begins now may take; 0: no time is left. */
uint32_t cg_job_seconds_left(const struct cg_discovery *job);

/* survey.c */

/* CG_OK, or why there is nothing to ask, with *problem. */
int cg_survey_check(const struct cg_discoveries *discoveries, const struct cg_discovery_order *order,
                    struct cg_problem *problem);
/* Looks at some mappings. True: there are more. */
bool cg_survey_turn(struct cg_discovery *job);

/* directory.c */

/* What somebody's links say of directories and security groups. */
void cg_directories_note_links(struct cg_job_item *item, const struct cg_found_node *node);
/* A group has been asked: those of its nodes that are directories without a look-up that is known are asked for it. */
void cg_directories_ask_for_lookups(struct cg_job_item *item);

#endif

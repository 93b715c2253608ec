/* What a request wants a resource to be (RFC 9110 §13.1). An entity tag here is a revision in quotes. */
#ifndef CG_FRONTS_ADMIN_CONDITION_H
#define CG_FRONTS_ADMIN_CONDITION_H

#include "fronts/http/message.h"
#include "model/request.h"

#define CG_CONDITION_TAGS_MAX 16

enum cg_condition_tags {
    CG_TAGS_STRONG, /* If-Match: a weak tag matches nothing */
    CG_TAGS_WEAK,   /* If-None-Match: it does not matter which */
};

struct cg_condition {
    bool is_there;
    bool any; /* "*" */
    size_t count;
    uint64_t revisions[CG_CONDITION_TAGS_MAX]; /* 0: a tag that was never given */
};

/* 400 with the problem: no list of entity tags, or too many. */
int cg_condition_read(struct cg_condition *condition, struct cg_slice text, enum cg_condition_tags tags,
                      struct cg_problem *problem) CG_MUST_CHECK;
/* The field of that name; not there is fine. */
int cg_condition_of(struct cg_condition *condition, const struct cg_http_message *message, const char *name,
                    enum cg_condition_tags tags, struct cg_problem *problem) CG_MUST_CHECK;
/* Whether what is there is among them; 0: nothing is there. */
bool cg_condition_has(const struct cg_condition *condition, uint64_t revision);

/* Whether a change may be made to what is there (0: nothing): 412 and 428 with the problem. */
int cg_condition_check(const struct cg_condition *if_match, const struct cg_condition *if_none_match, uint64_t revision,
                       struct cg_problem *problem) CG_MUST_CHECK;

#endif

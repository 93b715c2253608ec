/* Members by name: configured ones and such as were heard, so many from some name on, or one. */
#ifndef CG_FRONTS_ADMIN_MEMBER_ROLL_H
#define CG_FRONTS_ADMIN_MEMBER_ROLL_H

#include "exchange/gateway.h"
#include "model/known.h"

#define CG_MEMBER_ROLL_MAX 500

struct cg_member_row {
    char name[CG_ADDR_TEXT_MAX];
    char address[CG_ADDR_TEXT_MAX]; /* configured; "": none */
    bool is_configured;
    struct cg_buf mappings, groups, warmths, heard; /* JSON, each item behind a comma */
    unsigned mapping_count, group_count, warmth_count, heard_count;
    int64_t last_us; /* monotonic; INT64_MIN: never */
    uint64_t tags;   /* of one that is shown alone: cg_member_revision */
};

enum cg_member_phase { CG_MEMBER_IN_GROUPS, CG_MEMBER_IN_MAPPINGS, CG_MEMBER_IN_KNOWNS };

struct cg_member_roll {
    /* What is wanted, set by its owner before it begins. */
    char after[CG_ADDR_TEXT_MAX]; /* names behind this one */
    size_t limit;                 /* at most CG_MEMBER_ROLL_MAX; one more is kept, where there are more */
    bool is_alone;                /* one member, not a list: */
    char name[CG_ADDR_TEXT_MAX];
    /* What has come of it. */
    bool failed; /* no memory */
    size_t count;
    struct cg_member_row *rows[CG_MEMBER_ROLL_MAX + 1]; /* ascending */
    /* Its own: */
    struct cg_config *config; /* a reference */
    struct cg_knowns *knowns;
    struct cg_known_walk walk;
    enum cg_member_phase phase;
    size_t at, member; /* of the group or mapping that is looked at */
};

void cg_member_roll_begin(struct cg_member_roll *roll, struct cg_gateway *gateway);
void cg_member_roll_end(struct cg_member_roll *roll);
/* A slice, for one turn of the loop. False: that was all. */
bool cg_member_roll_look(struct cg_member_roll *roll);
/* Of a roll of one: its row, empty where nothing is configured or was heard. NULL: there is none, or no memory. */
enum cg_member_need { CG_MEMBER_IF_THERE, CG_MEMBER_ANYWAY };
const struct cg_member_row *cg_member_roll_one(struct cg_member_roll *roll, enum cg_member_need need);
void cg_member_row_put(struct cg_buf *to, const struct cg_member_row *row);

#endif

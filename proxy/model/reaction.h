/* What follows an alert (R25): which alerts, and the commands to groups that are then given. The commands are the
 * settings' words alone: nothing that an alert says is part of one, so that whoever can send alerts can choose when,
 * and nothing else. */
#ifndef CG_MODEL_REACTION_H
#define CG_MODEL_REACTION_H

#include "model/alert.h"
#include "wire/uri.h"

#define CG_REACTIONS_MAX         64
#define CG_REACTION_COMMANDS_MAX 16
#define CG_REACTION_MEMBERS_MAX  256

/* Which alerts. */
struct cg_occasion {
    const char *group; /* the security group that they come from */
    const char *path;  /* as cg_alert has it */
    uint8_t method;
    const char **from; /* members, by name; */
    size_t from_count; /* 0: whoever of the group */
};

/* A request to a mapping's groups. */
struct cg_command {
    const char *mapping; /* its name */
    uint8_t method;
    const char *path;         /* behind the mapping's, raw, with its query; "": none */
    struct cg_slice whole;    /* that mapping's path and this one without the query */
    struct cg_slice query;    /* raw, without '?'; data NULL: none */
    const char *body;         /* UTF-8; "": none */
    const char *content_type; /* NULL: nothing is said of it */
    struct cg_opts options;   /* which say it */
};

struct cg_reaction {
    const char *name;
    struct cg_occasion when;
    struct cg_command *commands;  /* in this order */
    size_t command_count;         /* at least 1 */
    uint32_t requests_per_minute; /* of its commands; at least as many as it has */
    bool is_stored;               /* not of the settings file: model/item.h */
};

bool cg_occasion_fits(const struct cg_occasion *when, const struct cg_alert *alert);
/* NULL: there is none of that name. */
const struct cg_reaction *cg_reaction_by_name(const struct cg_config *config, const char *name);

#endif

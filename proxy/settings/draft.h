/* A mapping while it is being read; its parts are in several files. Internal to settings/. */
#ifndef CG_SETTINGS_DRAFT_H
#define CG_SETTINGS_DRAFT_H

#include "settings/reader.h"

struct cg_draft {
    struct cg_mapping mapping;
    const json_t *json; /* the object */
    const struct cg_at *at;
    const char *interface; /* of targets that name none */
    uint8_t hops;
};

/* Each reads one or two keys of draft->json, which may be absent, in this order: later ones rest on earlier ones. */
void cg_read_targets(struct cg_reader *reader, struct cg_draft *draft); /* group, targets */
/* A URI's host, if it is a name: whether it can be one, and as Uri-Host has it. */
bool cg_host_is_sound(struct cg_slice host);
struct cg_slice cg_keep_host(struct cg_reader *reader, struct cg_slice host);
/* The target's "next_hop", once its "group" is read; and whether the rest of the mapping goes with all of them. */
void cg_read_next_hop(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct cg_target *target);
/* Its "credentials", once that is read. */
void cg_read_hop_credentials(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                             struct cg_target *target);
void cg_check_next_hops(struct cg_reader *reader, const struct cg_draft *draft);
void cg_read_security(struct cg_reader *reader, struct cg_draft *draft); /* security, check_signature */
void cg_read_methods(struct cg_reader *reader, struct cg_draft *draft);
void cg_read_members(struct cg_reader *reader, struct cg_draft *draft); /* members, membership */
void cg_read_finish(struct cg_reader *reader, struct cg_draft *draft);
void cg_read_grants(struct cg_reader *reader, struct cg_draft *draft); /* clients */

/* The members of a mapping whose security is a group. */
void cg_fill_members(struct cg_mapping *mapping);

/* An array of method names as a set; 0 with a mistake. */
uint32_t cg_read_method_set(struct cg_reader *reader, const struct cg_at *at, const json_t *json);

#endif

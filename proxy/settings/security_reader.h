/* The values of a security group's file. Internal to settings/. */
#ifndef CG_SETTINGS_SECURITY_READER_H
#define CG_SETTINGS_SECURITY_READER_H

#include "settings/reader.h"
#include "settings/security_group.h"

#define CG_PRIVATE_KEY_LEN 32 /* of every kind */

struct cg_group_reader {
    struct cg_reader reader; /* the readers of single keys get a pointer to it; no snapshot is being filled */
    struct cg_security_group *group;
    size_t locked_used;
    bool algorithms_fit;      /* if not, nothing is said about what depends on them */
    size_t id_max;            /* bytes of a Sender ID, where they fit */
    enum cg_cose_curve curve; /* of the group's keys; NONE while it is open */
    struct cg_seen *ids, *creds, *names, *addresses;
};

void cg_read_common(struct cg_group_reader *r, const struct cg_at *at, const json_t *json);
/* An object of its own: "self", "gateway", or one of "members". */
void cg_read_party(struct cg_group_reader *r, const struct cg_at *at, const json_t *json,
                   struct cg_security_party *party);
/* A value of "peers"; at->key is the Sender ID. */
void cg_read_peer(struct cg_group_reader *r, const struct cg_at *at, const json_t *json,
                  struct cg_security_party *party);
void cg_read_group_manager(struct cg_group_reader *r, const struct cg_at *at, const json_t *json);
void cg_read_group_name(struct cg_group_reader *r, const struct cg_at *at, const json_t *json);
void cg_read_member_peers(struct cg_group_reader *r, const struct cg_at *at, const json_t *json);
void cg_group_reader_fini(struct cg_group_reader *r);

#endif

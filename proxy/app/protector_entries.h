/* What the protectors keep by name over reloads: each security group, and each relay by the file that it checks with.
 * For protectors.c and protectors_plan.c alone. */
#ifndef CG_APP_PROTECTOR_ENTRIES_H
#define CG_APP_PROTECTOR_ENTRIES_H

#include "base/hash.h"
#include "group_oscore/group_oscore.h"
#include "model/config.h"
#include "relay/relay.h"

/* What the store says of a group's current key. */
enum cg_key_state { CG_KEY_UNKNOWN, CG_KEY_SENDS, CG_KEY_UNCLAIMED, CG_KEY_SPENT, CG_KEY_EXHAUSTED };

/* A security group by name. One that the settings have no more keeps its place, without keys: answers may still be on
 * their way. */
struct cg_named_group {
    char name[CG_NAME_MAX + 1];
    struct cg_group_oscore *group;
    struct cg_sender_id sender, staged_sender; /* whose numbers its current keys use */
    bool staged;
    enum cg_key_state state; /* app/claims.c */
    UT_hash_handle hh;
};

/* A relay by the file that it checks with. The file may change: the relay stays. Its replay windows are everybody's. */
struct cg_relay_entry {
    char *file; /* owned; empty: checks nothing */
    struct cg_relay *relay;
    uint8_t digest[CG_GROUP_DIGEST_LEN]; /* of the checker in use; zero: none */
    struct cg_oscore_context *staged;
    uint8_t staged_digest[CG_GROUP_DIGEST_LEN];
    UT_hash_handle hh;
};

/* Without keys, and in no table. NULL: no memory. */
struct cg_named_group *cg_named_group_new(struct cg_group_services *services, const char *name);
void cg_named_group_free(struct cg_named_group *entry);
struct cg_relay_entry *cg_relay_entry_new(const struct cg_relay_services *services, const char *file);
void cg_relay_entry_free(struct cg_relay_entry *entry);
/* uthash heads, which are empty afterwards. */
void cg_protector_entries_free(struct cg_named_group **groups, struct cg_relay_entry **relays);

#endif

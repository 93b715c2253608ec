/* What the admin side stores: items, each a JSON document under a name, as somebody has set it. What follows from them
 * (defaults, keys, indexes) is the snapshot's (model/config.h). An item is immutable: a change makes another one. */
#ifndef CG_MODEL_ITEM_H
#define CG_MODEL_ITEM_H

#include "base/slice.h"
#include "model/config.h"

/* In the order in which they rest on each other: an item refers to kinds before its own only. */
enum cg_item_kind {
    CG_ITEM_SETTINGS,       /* one, CG_ITEM_SETTINGS_NAME: what of the settings file's keys the admin side may set */
    CG_ITEM_KEYS,           /* one epoch of a security group's keys: sealed; by a name of its own, never in an export */
    CG_ITEM_SECURITY_GROUP, /* {"keys": NAME, "next": NAME or null, …} */
    CG_ITEM_CLIENT,
    CG_ITEM_TOKEN, /* {"client", "sha256", "made", "expires", "label"}; by its id; never in an export */
    CG_ITEM_MAPPING,
    CG_ITEM_REACTION,
    CG_ITEM_KIND_COUNT
};

#define CG_ITEM_SETTINGS_NAME "settings"

/* The collection that it is shown in: "mappings", "security-groups" …; also its name in the store. */
extern const char *const cg_item_collections[CG_ITEM_KIND_COUNT];
/* False: no kind has that. */
bool cg_item_kind_of(struct cg_slice collection, enum cg_item_kind *kind);

/* The loop's thread counts references; whoever else has one borrows it. */
struct cg_item {
    unsigned references;
    enum cg_item_kind kind;
    char name[CG_NAME_MAX + 1];
    uint64_t revision;  /* the one that made it so: its ETag */
    int64_t changed_ms; /* Unix time */
    char changed_by[CG_NAME_MAX + 1];
    struct cg_slice document; /* JSON in one form: keys as they were set, no white space */
    struct cg_slice sealed;   /* secrets, sealed; empty: none */
    uint8_t bytes[];          /* of both */
};

/* With one reference; copies everything. NULL: no memory. */
struct cg_item *cg_item_new(enum cg_item_kind kind, const char *name, struct cg_slice document, struct cg_slice sealed);
struct cg_item *cg_item_ref(struct cg_item *item);
void cg_item_unref(struct cg_item *item); /* NULL is fine */

/* What becomes of an item. */
struct cg_edit {
    enum cg_item_kind kind;
    const char *name;
    const struct cg_item *item; /* what it is to be; NULL: it goes. Borrowed */
};

/* What a stored item is in a snapshot (the settings file has the last word). */
enum cg_item_state {
    CG_ITEM_IN_USE,
    CG_ITEM_SHADOWED, /* the settings file has something of that name, or at that path */
    CG_ITEM_DISABLED, /* what it refers to is not there, or its keys cannot be opened; or it says "enabled": false */
};
extern const char *const cg_item_state_names[]; /* "in-use", "shadowed", "disabled" */

#endif

/* Stored items while they are being read. Internal to settings/. */
#ifndef CG_SETTINGS_STORED_READER_H
#define CG_SETTINGS_STORED_READER_H

#include "settings/passes.h"
#include "settings/reader.h"
#include "settings/stored.h"

#define CG_STORED_NOT_ENABLED "\"enabled\" is false" /* a reason */

struct cg_stored_entry {
    const struct cg_item *item;
    bool is_edit;
};

struct cg_stored_reading {
    struct cg_reader *reader;
    const struct cg_stored *stored;
    struct cg_mistakes *told;        /* the caller's: of edits */
    struct cg_stored_entry *entries; /* by kind; edits come last, so that what is the same is their mistake; by name */
    size_t count;
    struct cg_idle_item *idle; /* not in use so far; room for all */
    size_t idle_count;
    const struct cg_stored_entry *reads;      /* at the moment */
    struct cg_token_read *tokens;             /* room for all */
    const struct cg_stored_entry **tokens_of; /* the item of each */
    size_t token_count;
    size_t mistakes, conflicts; /* of edits */
    const char *rests;          /* why the item that is being read is not in use, though nothing is wrong with it */
    json_t *alert_groups;       /* of the stored settings, until there are groups; NULL: none */
};

/* The file's document with the stored settings below its own; they are judged first. What comes of it is the caller's
 * to release; NULL: no memory. */
json_t *cg_stored_merge_settings(struct cg_stored_reading *reading, json_t *document);
/* Remembers what of the settings the file says. */
void cg_stored_keep_file_keys(struct cg_reader *reader, const json_t *document);
/* alerts.groups of the stored settings. */
void cg_stored_read_alert_groups(struct cg_stored_reading *reading);

/* {"keys", "next", "warm"}; at->key: its name. */
void cg_stored_read_group(struct cg_stored_reading *reading, const struct cg_at *at, const json_t *json);

/* The item, by its kind's reader. */
void cg_stored_read_item(struct cg_stored_reading *reading, const struct cg_at *at, const struct cg_item *item);
/* stored_state.c: of those that are not in use, while reading and when all are read; false: no memory. */
bool cg_stored_make_idle_room(struct cg_stored_reading *reading, size_t most) CG_MUST_CHECK;
void cg_stored_set_idle(struct cg_stored_reading *reading, const struct cg_item *item, enum cg_item_state state,
                        const char *reason);
void cg_stored_keep_idle(struct cg_stored_reading *reading);
/* Whether some item is out of use for what another one is or was, so that edits of that may bring it back. */
bool cg_stored_may_return(const struct cg_config *config);
/* What the item is in a snapshot that is derived, from now on; the reason is kept. */
void cg_stored_derive_state(struct cg_reader *reader, enum cg_item_kind kind, const char *name,
                            enum cg_item_state state, const char *reason);

/* The item's document, an object, for the caller to release; NULL with a mistake or for want of memory. */
json_t *cg_stored_parse(struct cg_reader *reader, const struct cg_at *at, const struct cg_item *item);
/* NULL: none. */
const struct cg_stored_entry *cg_stored_find(const struct cg_stored_reading *reading, enum cg_item_kind kind,
                                             const char *name);
/* The edits put something that is in use out of it: said at the one that does. `item` is it, `why` a sentence. */
void cg_stored_refuse(struct cg_stored_reading *reading, const struct cg_item *item, const char *why);

/* The file first, then what is stored. CG_E_FORMAT, CG_E_CONFLICT: there are mistakes; what reading lacked memory for
 * the reader says. */
int cg_read_with_stored(struct cg_reader *reader, json_t *document, const struct cg_stored *stored) CG_MUST_CHECK;

#endif

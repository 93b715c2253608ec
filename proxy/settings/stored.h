/* Stored items (model/item.h) as settings: read by the same tables as the settings file's sections, and put together
 * with it. The file has the last word: on the same name or path the stored item is shadowed. A stored item that is not
 * valid any more, by its reference or because of the file, is disabled, with the reason, and nothing else suffers.
 * Edits are what somebody wants now: their mistakes are mistakes. */
#ifndef CG_SETTINGS_STORED_H
#define CG_SETTINGS_STORED_H

#include "model/item.h"
#include "settings/settings.h"

struct cg_stored {
    struct cg_item *const *items; /* in any order; each (kind, name) once */
    size_t count;
    const struct cg_edit *edits; /* on them */
    size_t edit_count;
    /* The snapshot that is in use: edits may not put out of use what it has. NULL: none. */
    const struct cg_config *in_use;
    /* The secrets of an item of kind CG_ITEM_KEYS, or a client's key; the caller wipes. NULL, or an error: it stays
     * sealed, and what needs it is disabled. */
    int (*unseal)(void *ctx, const struct cg_item *item, struct cg_buf *secret);
    void *ctx;
};

/* As cg_settings_load. Mistakes of the file have its pointers, those of edits "/COLLECTION/NAME/…". CG_E_CONFLICT:
 * `mistakes` says what the edits are in the way of: the settings file, or something else that is stored and in use. On
 * any thread. */
int cg_settings_load_stored(const char *file, const struct cg_stored *stored, struct cg_config **config,
                            struct cg_mistakes *mistakes) CG_MUST_CHECK;

/* The same for the text of a settings file: cg_settings_parse. */
int cg_settings_parse_stored(struct cg_slice text, const char *folder, const struct cg_stored *stored,
                             struct cg_config **config, struct cg_mistakes *mistakes) CG_MUST_CHECK;

/* Whether what is stored and the settings file would with these edits be the snapshot in use but for them, so that it
 * can be derived from it at the cost of these alone (model/derive.h). On the loop's thread or any other. */
bool cg_settings_may_derive(const struct cg_config *in_use, const struct cg_edit *edits, size_t count);
/* Then: `config` is derived from that snapshot, by cg_derive_new for as many changes, and still the same. CG_OK: it is
 * what cg_settings_load_stored would make. CG_E_FORMAT: there are mistakes. CG_E_CONFLICT, without mistakes: that alone
 * can tell. On any thread. */
int cg_settings_derive(struct cg_config *config, const struct cg_stored *stored,
                       struct cg_mistakes *mistakes) CG_MUST_CHECK;

/* What a stored item is in that snapshot; *reason (not NULL unless it is in use) is a sentence, borrowed. */
enum cg_item_state cg_stored_state(const struct cg_config *config, enum cg_item_kind kind, const char *name,
                                   const char **reason);
/* Whether the settings file itself defines something of that kind and name: it cannot be changed here. */
bool cg_stored_is_of_file(const struct cg_config *config, enum cg_item_kind kind, const char *name);

/* Whether the settings file itself says that setting ("/limits/exchanges"): it cannot be set here. */
bool cg_stored_file_sets(const struct cg_config *config, const char *pointer);

/* One item as it counts, every key written out, as JSON in an object; false: it is not in use. */
bool cg_stored_put_effective(struct cg_buf *to, const struct cg_config *config, enum cg_item_kind kind,
                             const char *name);

/* Of the warnings (cg_settings_warnings) those about one item, whoever defines it: "/mappings/NAME/…". */
void cg_stored_warnings(const struct cg_config *config, enum cg_item_kind kind, const char *name,
                        struct cg_mistakes *warnings);

/* The JSON Schema (draft 2020-12, without $ref) of documents of that kind: the settings' of what may be set here.
 * False: they are nobody's to write. */
bool cg_settings_item_schema(struct cg_buf *to, enum cg_item_kind kind);

#endif

/* The settings file: JSON to a snapshot (model/config.h) and back. A file is checked as a whole: every mistake is
 * listed with a JSON pointer (RFC 6901) to where it is, and one mistake is enough for no snapshot. */
#ifndef CG_SETTINGS_SETTINGS_H
#define CG_SETTINGS_SETTINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/config.h"

#define CG_SETTINGS_FILE_MAX ((size_t)16 << 20) /* bytes */
#define CG_MISTAKES_LISTED   100                /* beyond, they are only counted */

struct cg_mistake {
    const struct cg_mistake *next;
    const char *pointer; /* "/mappings/0/group"; "": the whole file, which the message does not name */
    const char *message; /* what to change; one line of printable text */
    const char *about;   /* the key that is meant or missing, where that is not what `pointer` leads to; else NULL */
    const char *code;    /* of a warning: what it is, for programs; static. NULL: none */
};

struct cg_mistakes {
    struct cg_mistake *first, *last;
    size_t count;  /* found */
    size_t listed; /* in the list */
    bool by_name;  /* of warnings: items stand in pointers by their names, those of the settings file, too */
    struct cg_arena arena;
};

void cg_mistakes_init(struct cg_mistakes *mistakes);
void cg_mistakes_fini(struct cg_mistakes *mistakes);
/* Further ones are only counted: nobody need think about what they should say. */
bool cg_mistakes_are_full(const struct cg_mistakes *mistakes);
/* Copies both texts; control characters become '?'. */
void cg_mistakes_add(struct cg_mistakes *mistakes, const char *pointer, const char *format, ...) CG_PRINTF(3, 4);

/* The same for a warning, with its code. */
void cg_warnings_add(struct cg_mistakes *warnings, const char *code, const char *pointer, const char *format, ...)
    CG_PRINTF(4, 5);

/* A snapshot with the default of every setting, no listeners, one reference, not indexed. NULL when out of memory. */
struct cg_config *cg_settings_defaults(void);

/* Reads and checks the file. CG_OK: *config is a new snapshot, indexed, with one reference. CG_E_FORMAT: `mistakes`
 * says why (an unreadable file included), *config is NULL. CG_E_NO_MEMORY: `mistakes` is empty. */
int cg_settings_load(const char *file, struct cg_config **config, struct cg_mistakes *mistakes) CG_MUST_CHECK;
/* The same for a text. `folder`, absolute: what relative file names are relative to. */
int cg_settings_parse(struct cg_slice text, const char *folder, struct cg_config **config,
                      struct cg_mistakes *mistakes) CG_MUST_CHECK;

/* The effective settings as JSON, every key written out: loading it has the same effect. Hashes are shown, since they
 * are no secrets; keys appear as file names only. */
void cg_settings_print(struct cg_buf *to, const struct cg_config *config);
/* Of it what is not a list of items. */
void cg_settings_print_sections(struct cg_buf *to, const struct cg_config *config);

/* Of what differs, what a reload cannot change: it takes effect after a restart. In the form of mistakes. */
void cg_settings_restarts(const struct cg_config *old, const struct cg_config *fresh, struct cg_mistakes *warnings);

/* The JSON Schema of a settings file. */
void cg_settings_schema(struct cg_buf *to);

/* What is allowed but should be known, in the form of mistakes with codes (R10). Of what the settings file defines the
 * pointers fit it; of a stored item it is "/mappings/NAME/timeout". */
void cg_settings_warnings(const struct cg_config *config, struct cg_mistakes *warnings);

/* Key `index` of all that a settings file may have. *object: where it stands, as a JSON pointer whose parts may be "*"
 * for each member or item; "" is the whole file. False behind the last one. */
bool cg_settings_key(size_t index, const char **object, const char **key);

#endif

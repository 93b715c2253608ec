/* What the sections' readers share: where they are (a JSON pointer), values of the common kinds, and key tables.
 * Internal to settings/. No reader stops at a mistake: it notes it and goes on, so that one run finds them all. */
#ifndef CG_SETTINGS_READER_H
#define CG_SETTINGS_READER_H

#include "model/item.h"
#include "settings/settings.h"

#include <jansson.h>

/* A place in the document, as a chain on the stack. */
struct cg_at {
    const struct cg_at *up; /* NULL: the whole document */
    const char *key;        /* NULL: `index` counts */
    size_t index;
};

/* What must be unique over all items, those of the file and those that are stored. */
enum cg_unique {
    CG_UNIQUE_MAPPING,
    CG_UNIQUE_PLACE, /* a mapping's path at its host */
    CG_UNIQUE_FORWARD,
    CG_UNIQUE_TOKEN,
    CG_UNIQUE_CERTIFICATE,
    CG_UNIQUE_REACTION,
    CG_UNIQUE_COUNT,
};

/* Whose item is being read. */
enum cg_origin { CG_ORIGIN_FILE, CG_ORIGIN_STORE };

struct cg_draft;
struct cg_seen;

struct cg_reader {
    struct cg_config *config; /* being filled */
    struct cg_mistakes *mistakes;
    const char *folder;
    struct cg_arena scratch; /* until the end of reading */
    bool out_of_memory;
    bool takes_anonymous;      /* a data listener does */
    struct cg_seen *undefined; /* names of clients and security groups that are not there, each told of once */
    enum cg_origin origin;
    size_t room[CG_ITEM_KIND_COUNT]; /* for so many stored items beyond the file's own */
    struct cg_seen *unique[CG_UNIQUE_COUNT];
    struct cg_seen *taken;            /* in `unique`, by the stored item that is being read: the latest first */
    const char *shadow;               /* what the settings file has in its place; NULL: nothing */
    const char *shadow_at;            /* then: the pointer to what is the same */
    const struct cg_draft *blank;     /* a mapping that says nothing; NULL: not made yet */
    struct cg_table mappings_by_name; /* of the first `mappings_indexed` */
    size_t mappings_indexed;
    const char *derives;     /* the mapping of which it is an edit (settings/derive.c); NULL: everything is read */
    struct cg_mapping *made; /* then: what it is to be; NULL: it is no good */
    bool is_taken;           /* then: another one has what it should be alone with */
};

struct cg_row;

void cg_mistake_at(struct cg_reader *reader, const struct cg_at *at, const char *format, ...) CG_PRINTF(3, 4);

/* One whose cause is another key than the one that it is told at: `about` is misspelt or missing there. */
void cg_mistake_about(struct cg_reader *reader, const struct cg_at *at, const struct cg_at *about, const char *format,
                      ...) CG_PRINTF(4, 5);
/* A key that the object at `at` needs: said unless its absence is explained, by a key that is misspelt. */
void cg_mistake_missing(struct cg_reader *reader, const struct cg_at *at, const char *key, const char *format, ...)
    CG_PRINTF(4, 5);

/* Whether something was found wrong with that key of the object at `at`, or below it; it may be missing or misspelt.
 * What rests on it would only be told as a mistake of its own because of that. */
bool cg_is_mistaken(struct cg_reader *reader, const struct cg_at *at, const char *key);
/* The same, but for what is below. */
bool cg_is_mistaken_itself(struct cg_reader *reader, const struct cg_at *at, const char *key);

/* The value of `key`, with its place in *at; NULL when absent. *at borrows `up` and `key`. */
const json_t *cg_read_member(const struct cg_at *up, const json_t *object, const char *key, struct cg_at *at);
/* False, with a mistake, when it is no array or has more than `max` items. */
bool cg_read_is_array(struct cg_reader *reader, const struct cg_at *at, const json_t *json, size_t max);
/* The string, or NULL with a mistake. Borrowed from the document. */
const char *cg_read_text(struct cg_reader *reader, const struct cg_at *at, const json_t *json);

/* A host as in URIs and Host: a name, an IPv4 address, or an IPv6 address in brackets; lower case, kept in the
 * snapshot. NULL with a mistake. */
const char *cg_read_host(struct cg_reader *reader, const struct cg_at *at, const json_t *json, bool may_have_port);
/* Appends the same, with or without port. False: it is none. */
bool cg_put_host(struct cg_buf *to, const char *text);

/* What is wrong with a path other than "/", as text behind "the path", or NULL. */
const char *cg_path_fault(struct cg_reader *reader, struct cg_slice path);

/* [a-z0-9][a-z0-9._-]{0,63} */
bool cg_name_is_valid(const char *name);

/* Copies into the snapshot, zeroed arrays of it; NULL when out of memory, which ends the whole load. */
const char *cg_keep_text(struct cg_reader *reader, struct cg_slice text);
void *cg_keep_array(struct cg_reader *reader, size_t count, size_t size);

/* A set of things that must be unique. Returns the pointer of the first one with that key, or NULL and adds it. Clear
 * the set with cg_seen_clear. */
const char *cg_seen_before(struct cg_reader *reader, struct cg_seen **set, struct cg_slice key, const struct cg_at *at);
void cg_seen_clear(struct cg_seen **set);

/* The same over all items. What a stored item shares with the settings file is no mistake: it is shadowed
 * (reader->shadow), where that is a name or a place. */
const char *cg_unique_before(struct cg_reader *reader, enum cg_unique what, struct cg_slice key,
                             const struct cg_at *at);
/* Whether another item of the snapshot that an edit is derived from has it. */
bool cg_derive_is_taken(const struct cg_reader *reader, enum cg_unique what, struct cg_slice key);
/* The stored item that is being read is no good: what it took is free again. */
void cg_unique_give_back(struct cg_reader *reader);
void cg_unique_clear(struct cg_reader *reader);

/* True: that it is not in that section of the document was told before, or follows from what is wrong with the whole
 * section. */
bool cg_is_undefined_again(struct cg_reader *reader, const char *section, const char *name, const struct cg_at *at);

/* As text, in the scratch memory; it is cut when a hostile key makes it endless. */
const char *cg_pointer_text(struct cg_reader *reader, const struct cg_at *at);

/* The sections. `json` is NULL when the file has none. */
void cg_read_document(struct cg_reader *reader, const json_t *json);
/* Of it, what rests on no item. `at`: where the document stands. */
void cg_read_sections(struct cg_reader *reader, const struct cg_at *at, const json_t *json);
void cg_read_fronts(struct cg_reader *reader, const struct cg_at *document, const json_t *json);
void cg_read_coap(struct cg_reader *reader, const struct cg_at *document, const json_t *json);
/* A listener's URI. With a mistake its address has no family. */
void cg_read_coap_listen(struct cg_reader *reader, const struct cg_at *at, const char *text,
                         struct cg_coap_listen *listen);
/* Rests on coap and security_groups. */
void cg_read_alerts(struct cg_reader *reader, const struct cg_at *document, const json_t *json);
void cg_read_alert_groups(struct cg_reader *reader, const struct cg_at *at, const json_t *json);
/* Once the clients are read: whether each coaps listener has some way of proving itself. */
void cg_check_coap_clients(struct cg_reader *reader, const struct cg_at *document);
void cg_read_security_groups(struct cg_reader *reader, const struct cg_at *at, const json_t *json);
void cg_read_credentials(struct cg_reader *reader, const struct cg_at *at, const json_t *json);
void cg_read_clients(struct cg_reader *reader, const struct cg_at *at, const json_t *json);
void cg_read_mappings(struct cg_reader *reader, const struct cg_at *at, const json_t *json);
void cg_read_reactions(struct cg_reader *reader, const struct cg_at *at, const json_t *json); /* after all of those */

/* One more item, behind those that are there: its place in the snapshot was made with the section (reader->room).
 * Whether there was a mistake, the caller looks; then it takes the item away again. */
void cg_read_client(struct cg_reader *reader, const struct cg_at *at, const json_t *json); /* at->key: its name */
void cg_read_mapping(struct cg_reader *reader, const struct cg_at *at, const json_t *json);
void cg_read_reaction(struct cg_reader *reader, const struct cg_at *at, const json_t *json);
/* Its entry with its name, which leads to it; NULL: no memory. */
struct cg_security_keys *cg_add_security_group(struct cg_reader *reader, const char *name);
bool cg_check_security_group_name(struct cg_reader *reader, const struct cg_at *at, const char *name);
/* Once its keys are there. */
void cg_fill_security_group(struct cg_reader *reader, struct cg_security_keys *entry);

#endif

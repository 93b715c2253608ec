/* The settings as a table: one row a key, and all that is done with a key comes from its row (the table: rows.c).
 * Internal to settings/. */
#ifndef CG_SETTINGS_ROWS_H
#define CG_SETTINGS_ROWS_H

#include "settings/out.h"
#include "settings/reader.h"

enum cg_row_flag {
    CG_ROW_RESTART = 1,   /* a change takes effect after a restart; of a list's items: by the rows that say so, too */
    CG_ROW_FILE_ONLY = 2, /* belongs to this host: only its settings file may say it */
    CG_ROW_REQUIRED = 4,  /* for the schema; the object's reader says what is missing */
    CG_ROW_NAME = 8,      /* of a list's item; a stored item has it already, by where it is stored */
    CG_ROW_ITEMS = 16,    /* no setting but a list of items, which are stored one by one */
};

enum cg_shape { CG_SHAPE_VALUE, CG_SHAPE_OBJECT, CG_SHAPE_LIST, CG_SHAPE_MAP };

typedef void cg_read_fn(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                        void *target);
typedef void cg_print_fn(struct cg_out *out, const struct cg_row *row, const void *target);

/* A kind of value. */
struct cg_kind {
    enum cg_shape shape;
    cg_read_fn *read;      /* NULL: the reader of the whole object takes it, because it rests on other keys */
    bool late;             /* that reader says when: cg_read_late */
    cg_print_fn *print;    /* NULL: never printed */
    const char *json;      /* members of its JSON Schema, with ' for " */
    const char *min, *max; /* that schema's words for the row's bounds; NULL: said otherwise */
};

/* Items of a list, or by name of a map. */
struct cg_items {
    const struct cg_kind *kind; /* reads and prints one item, by a row whose offset is 0 and whose `of` is the list's */
    size_t count;               /* offset of their number, a size_t; the row's own offset is that of the pointer */
    size_t size;                /* bytes of an item */
    size_t name;                /* of a map: offset of the name within an item */
};

struct cg_row {
    const char *key;
    const struct cg_kind *kind;
    size_t offset, size;  /* of the field in the object's struct; a map's or list's is the pointer to its items */
    uint64_t min, max;    /* of a number; of a list and a map `max` is how many items there may be, 0: any */
    const char *fallback; /* the default, as JSON with ' for "; NULL: there is none, or it depends on other keys */
    const char *unit;
    const char *says;             /* a sentence for people */
    unsigned flags;               /* of enum cg_row_flag */
    const char *json;             /* in place of the type's */
    const struct cg_rows *of;     /* an object's keys, or those of each item that is an object */
    const struct cg_items *items; /* of a list and a map */
};

/* The keys of an object. */
struct cg_rows {
    const char *at; /* where it stands: a JSON pointer whose parts may be "*" for each item or member */
    const struct cg_row *list;
    size_t count;
    bool short_form;  /* a string may stand in its place */
    const char *json; /* further members of its JSON Schema, with ' for " */
};

#define CG_ROWS(array)               .list = (array), .count = sizeof(array) / sizeof *(array)
#define CG_ROW_PLACE(struct_, field) .offset = offsetof(struct_, field), .size = sizeof(((struct_ *)0)->field)
#define CG_ROW_OWN(key_)                                                                                               \
    { .key = (key_), .kind = &cg_kind_own }
#define CG_ROW_LATER(key_)                                                                                             \
    { .key = (key_), .kind = &cg_kind_later }

extern const struct cg_rows cg_document_rows, cg_http_rows, cg_admin_rows, cg_http_listen_rows, cg_coap_rows,
    cg_coap_listen_rows, cg_option_rows, cg_security_group_rows, cg_stored_group_rows, cg_client_rows,
    cg_stored_client_rows, cg_psk_rows, cg_own_psk_rows, cg_credentials_rows, cg_token_rows, cg_mapping_rows,
    cg_target_rows, cg_member_rows, cg_grant_rows, cg_alert_rows, cg_occasion_rows, cg_command_rows, cg_reaction_rows;

/* Reads the keys whose type has a function and reports the unknown ones. False: no object. */
bool cg_read_object(struct cg_reader *reader, const struct cg_at *at, const struct cg_rows *rows, const json_t *json,
                    void *target);
/* Reads one key whose kind is late. `at` is where the object stands. */
void cg_read_late(struct cg_reader *reader, const struct cg_at *at, const struct cg_rows *rows, const char *key,
                  const json_t *object, void *target);
/* Fills in the defaults of these rows and of the objects below that are not items. */
void cg_read_defaults(struct cg_reader *reader, const struct cg_rows *rows, void *target);
/* The row of a key that is there, for what reads it itself. */
const struct cg_row *cg_row_of(const struct cg_rows *rows, const char *key);
/* Its default, for the caller to release; NULL when out of memory. */
json_t *cg_read_fallback(struct cg_reader *reader, const struct cg_row *row);

/* Prints what the rows have a function for, in the order of the table. */
void cg_print_rows(struct cg_out *out, const struct cg_rows *rows, const void *target);

cg_print_fn cg_print_text; /* NULL: null */
cg_print_fn cg_print_object;
cg_print_fn cg_print_list;

/* The common types */

extern const struct cg_kind cg_kind_own;                 /* for keys that are read elsewhere and not printed */
extern const struct cg_kind cg_kind_integer;             /* unsigned, of the field's size */
extern const struct cg_kind cg_kind_bool;                /* bool */
extern const struct cg_kind cg_kind_late_seconds;        /* uint64_t, µs; above 0; 0 is not printed */
extern const struct cg_kind cg_kind_brief_seconds;       /* uint64_t, µs; the row's bounds are in ms */
extern const struct cg_kind cg_kind_file;                /* const char *, made absolute; NULL is not printed */
extern const struct cg_kind cg_kind_file_or_null;        /* the same; null: none */
extern const struct cg_kind cg_kind_interface;           /* const char *; null: none */
extern const struct cg_kind cg_kind_interface_item;      /* the same of a list: never null */
extern const struct cg_kind cg_kind_unprinted_interface; /* the same, where others print it */
extern const struct cg_kind cg_kind_host;                /* const char *, with or without port */
extern const struct cg_kind cg_kind_address;             /* struct cg_addr with its port; read elsewhere */
extern const struct cg_kind cg_kind_methods;             /* uint32_t, a set; read by cg_read_method_set */
extern const struct cg_kind cg_kind_object;
extern const struct cg_kind cg_kind_list;  /* read item by item */
extern const struct cg_kind cg_kind_later; /* not part of this version: a mistake */
extern const struct cg_kind cg_kind_own_text, cg_kind_own_uri, cg_kind_own_name, cg_kind_own_file, cg_kind_next_file,
    cg_kind_own_object, cg_kind_own_list, cg_kind_own_map; /* read elsewhere */

/* Types that one key has, or two: beside their rules */

extern const struct cg_kind cg_kind_source_address, cg_kind_prefix, cg_kind_send_budgets, cg_kind_plugin, cg_kind_load,
    cg_kind_argument, cg_kind_options;
extern const struct cg_kind cg_kind_tls;
extern const struct cg_kind cg_kind_origin, cg_kind_proxy;
extern const struct cg_kind cg_kind_token, cg_kind_certificate, cg_kind_psk, cg_kind_role;
extern const struct cg_kind cg_kind_hash, cg_kind_moment;
extern const struct cg_kind cg_kind_mappings, cg_kind_mapping, cg_kind_path, cg_kind_leisure, cg_kind_stand_in;
extern const struct cg_kind cg_kind_silence, cg_kind_content_type, cg_kind_block_size;
extern const struct cg_kind cg_kind_payloads;
extern const struct cg_kind cg_kind_record_payloads;
extern const struct cg_kind cg_kind_security, cg_kind_security_group, cg_kind_check_signature;
extern const struct cg_kind cg_kind_membership, cg_kind_members, cg_kind_member, cg_kind_member_name, cg_kind_multicast,
    cg_kind_finish;
extern const struct cg_kind cg_kind_client_name;
extern const struct cg_kind cg_kind_alert_listen, cg_kind_alert_group;
extern const struct cg_kind cg_kind_method, cg_kind_from, cg_kind_own_text_item, cg_kind_command_type;

#endif

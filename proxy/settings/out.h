/* Writes JSON, indented: the effective settings and their schema. A failed buffer shows at the end only (base/buf.h).
 * Internal to settings/. */
#ifndef CG_SETTINGS_OUT_H
#define CG_SETTINGS_OUT_H

#include "base/buf.h"

#include <stdbool.h>

struct cg_out {
    struct cg_buf *buf;
    unsigned depth;
    bool fresh;       /* nothing in this object or array yet */
    unsigned flags;   /* only rows that have all of these are printed; 0: every row */
    unsigned without; /* of a schema: no rows that have one of these */
};

/* `key` is NULL in arrays and for the whole document, everywhere here. */
void cg_out_open(struct cg_out *out, const char *key, char bracket);
void cg_out_close(struct cg_out *out, char bracket);
void cg_out_text(struct cg_out *out, const char *key, const char *text); /* NULL: null */
void cg_out_integer(struct cg_out *out, const char *key, uint64_t number);
void cg_out_bool(struct cg_out *out, const char *key, bool value);
void cg_out_number(struct cg_out *out, const char *key, double number);
/* JSON in which ' stands for "; without a key it may be several members of an object. */
void cg_out_quoted(struct cg_out *out, const char *key, const char *json);

/* The shortest decimal that reads back as the same number, without exponent where that can be. */
void cg_shortest_decimal(char text[32], double number);

#endif

/* A request as the HTTP server read it, and how its fields are read (RFC 9110 §5). Pure functions; everything is
 * borrowed. */
#ifndef CG_FRONTS_HTTP_MESSAGE_H
#define CG_FRONTS_HTTP_MESSAGE_H

#include "base/err.h"
#include "base/slice.h"

struct cg_http_field {
    struct cg_slice name; /* any case */
    struct cg_slice value;
};

struct cg_http_message {
    struct cg_slice method;
    struct cg_slice target; /* raw request target, never decoded */
    const struct cg_http_field *fields;
    size_t field_count;
    struct cg_slice body;
    bool body_is_too_big;  /* for the handler's body_max: it was not read */
    bool body_has_no_room; /* nor was this one, as others' bodies fill the server's quota */
    bool is_http_1_0;
};

/* The only field of that name; CG_E_NOT_FOUND when absent, CG_E_BAD_REQUEST when there are several. */
int cg_http_field(const struct cg_http_message *message, const char *name, struct cg_slice *value) CG_MUST_CHECK;

/* Without the spaces and tabs around it. */
struct cg_slice cg_http_trim(struct cg_slice text);

/* The next element of a list, trimmed; separators inside quoted strings do not count (§5.6.4). *rest goes on behind it;
 * false when there is none. */
bool cg_http_next_item(struct cg_slice *rest, char separator, struct cg_slice *item);

/* A token (§5.6.2), of at least one byte. */
bool cg_http_is_token(struct cg_slice text);

#endif

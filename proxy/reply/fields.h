/* What HTTP's header fields say of one member's answer (RFC 8075 §6, §7; GCP): the same in a part of a batch and in a
 * reply that is nothing but that answer. */
#ifndef CG_REPLY_FIELDS_H
#define CG_REPLY_FIELDS_H

#include "castgate/plugin.h"
#include "base/buf.h"

#define CG_FIELDS_MAX 8 /* of one answer */

struct cg_field {
    const char *name; /* static */
    size_t at;        /* of its value */
};

struct cg_fields {
    struct cg_buf text; /* the values, each with NUL: printable ASCII */
    struct cg_field list[CG_FIELDS_MAX];
    size_t count;
};

void cg_fields_init(struct cg_fields *fields);
void cg_fields_fini(struct cg_fields *fields);
/* Content-Type, OSCORE, ETag, Cache-Control, Retry-After, Reply-From, Castgate-Options and Castgate-Member, as far as
 * there is something to say, instead of what it had before. False: no memory. */
bool cg_fields_describe(struct cg_fields *fields, const struct castgate_answer *answer) CG_MUST_CHECK;
/* Valid until the next description. */
static inline const char *cg_fields_value(const struct cg_fields *fields, size_t index) {
    return (const char *)fields->text.data + fields->list[index].at;
}

/* An RFC 9651 Byte Sequence. */
void cg_put_byte_sequence(struct cg_buf *to, struct castgate_slice bytes);
/* 2053;v=:CA==:, 65001;v=:: (an RFC 9651 List, one item for each option in order): those that nothing else in a reply
 * says, since what the gateway does not understand is shown, not dropped. Appends nothing where there are none. */
void cg_put_castgate_options(struct cg_buf *to, const struct castgate_answer *answer);

const char *cg_via_name(uint8_t via);           /* enum castgate_via */
const char *cg_verified_name(uint8_t verified); /* enum castgate_verified */

#endif

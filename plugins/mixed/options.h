/* Castgate-Options, as replies with headers have it. */
#ifndef CG_PLUGINS_MIXED_OPTIONS_H
#define CG_PLUGINS_MIXED_OPTIONS_H

#include <castgate/plugin.h>

#include "base/buf.h"

/* An RFC 9651 Byte Sequence. */
void cg_put_byte_sequence(struct cg_buf *to, struct castgate_slice bytes);
/* 2053;v=:CA==:, 65001;v=:: (an RFC 9651 List, one item for each option in order): those that nothing else in the reply
 * says. Appends nothing where there are none. */
void cg_put_castgate_options(struct cg_buf *to, const struct castgate_answer *answer);

#endif

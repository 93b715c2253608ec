/* The Sender IDs of a group, and which of them nobody may have again before its next Gid (RFC 10021 §12.2.2). */
#ifndef CG_KEYS_GIVEN_H
#define CG_KEYS_GIVEN_H

#include "oscore/context.h"

#include <jansson.h>

enum { CG_ID_HEX_MAX = 2 * CG_OSCORE_ID_MAX + 1 }; /* with NUL */

/* The n-th Sender ID in the order in which they are given; false when there are not so many of at most `max_len` bytes.
 */
bool cg_given_nth(uint32_t n, size_t max_len, char id[CG_ID_HEX_MAX]);

/* Those that were given since the group has its Gid, as the keys of an object, also when their owners are gone. NULL
 * without memory. */
json_t *cg_given_read(const json_t *document);
bool cg_given_note(json_t *given, const char *id);
bool cg_given_keep(json_t *document, const json_t *given);
/* A new Gid begins with those who are there. */
bool cg_given_forget(json_t *document);

#endif

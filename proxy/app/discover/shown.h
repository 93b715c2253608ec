/* What strangers wrote, on a person's terminal: nothing of it moves the cursor, changes colours or the direction of
 * writing, or is longer than there is room for. */
#ifndef CG_APP_DISCOVER_SHOWN_H
#define CG_APP_DISCOVER_SHOWN_H

#include "base/buf.h"

/* Of a well-formed UTF-8 sequence of that length (cg_utf8_sequence). */
uint32_t cg_code_point(const uint8_t *bytes, size_t len);
/* Whether a terminal shows it where it stands, and does nothing else. */
bool cg_is_shown(uint32_t point);

/* Appends the text, cut after `most` characters ("..."). What is not shown as it is becomes '?'. Returns how many
 * characters that were. */
size_t cg_put_shown(struct cg_buf *to, struct cg_slice text, size_t most);
/* The same, cut and filled with blanks to `width`, and two more blanks. */
void cg_put_cell(struct cg_buf *to, struct cg_slice text, size_t width);

#endif

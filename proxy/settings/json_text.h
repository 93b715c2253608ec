/* JSON texts to trees, where a shortage of memory is told from a mistake in the text. */
#ifndef CG_SETTINGS_JSON_TEXT_H
#define CG_SETTINGS_JSON_TEXT_H

#include "base/slice.h"

#include <jansson.h>

/* One value; keys may not repeat. NULL: *is_short says that memory was, else *error has what is wrong with the text. On
 * any thread. */
json_t *cg_json_read(struct cg_slice text, json_error_t *error, bool *is_short);

/* Everything that jansson allocates in this process is counted when it is not to be had, and wiped when it is freed,
 * from the first call of either on. */
void cg_json_watch_memory(void);

#endif

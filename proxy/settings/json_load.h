/* JSON read and copied as a whole or not at all. */
#ifndef CG_SETTINGS_JSON_LOAD_H
#define CG_SETTINGS_JSON_LOAD_H

#include <jansson.h>

#include "base/slice.h"

/* As json_loadb. NULL: json_error_code(error) is json_error_out_of_memory where memory ran out, whatever the text, and
 * never else. `error` may be NULL. Any thread. */
json_t *cg_json_load(struct cg_slice text, size_t flags, json_error_t *error);
/* As json_copy and json_deep_copy; NULL: no memory, or NULL was given. */
json_t *cg_json_copy(json_t *json);
json_t *cg_json_deep_copy(const json_t *json);

/* From now on whatever jansson frees in this process is wiped before. Any thread, any number of times. */
void cg_json_wipe(void);

#endif

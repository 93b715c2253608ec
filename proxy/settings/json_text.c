/* The hard thing, that jansson goes on when memory is short, is json_load.c's. */
#include "settings/json_text.h"

#include "settings/json_load.h"

void cg_json_watch_memory(void) { cg_json_wipe(); }

json_t *cg_json_read(struct cg_slice text, json_error_t *error, bool *is_short) {
    cg_json_watch_memory();
    json_t *json = cg_json_load(text, JSON_REJECT_DUPLICATES, error);
    *is_short = json == NULL && json_error_code(error) == json_error_out_of_memory;
    return json;
}

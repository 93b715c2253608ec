/* Reading the document: what is not there, or is something else, reads as empty. */
#ifndef CG_APP_DISCOVER_JSON_TEXT_H
#define CG_APP_DISCOVER_JSON_TEXT_H

#include <jansson.h>

#include "base/slice.h"

static inline struct cg_slice cg_json_slice(const json_t *text) {
    return cg_slice_of(json_string_value(text), json_string_length(text));
}

static inline struct cg_slice cg_json_text_at(const json_t *object, const char *key) {
    return cg_json_slice(json_object_get(object, key));
}

static inline bool cg_json_is_at(const json_t *object, const char *key, const char *text) {
    return cg_slice_is(cg_json_text_at(object, key), text);
}

#endif

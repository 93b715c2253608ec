/* The JSON scanner against jansson. What jansson takes is JSON, unless it goes too deep; what the scanner takes and
 * jansson does not is beyond jansson's values: an escape or a number. */
#include "input.h"

#include <jansson.h>

#include "base/json.h"

static size_t depth_of(const json_t *value) {
    size_t deepest = 0, depth, index;
    const char *name;
    json_t *item;
    if (!json_is_object(value) && !json_is_array(value)) return 0;
    json_object_foreach((json_t *)(uintptr_t)value, name, item) {
        if ((depth = depth_of(item)) > deepest) deepest = depth;
    }
    json_array_foreach(value, index, item) {
        if ((depth = depth_of(item)) > deepest) deepest = depth;
    }
    return deepest + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_error_t error;
    if (size == 0 || memchr(data, 0, size) != NULL) return 0; /* jansson takes a NUL behind a number for an end */
    bool valid = cg_json_valid(cg_slice_of(data, size));
    json_t *value = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (value != NULL) {
        CG_CHECK(valid || depth_of(value) > CG_JSON_DEPTH_MAX);
    } else if (valid) {
        bool number = json_error_code(&error) == json_error_numeric_overflow;
        CG_CHECK(number || memchr(data, '\\', size) != NULL);
    }
    json_decref(value);
    return 0;
}

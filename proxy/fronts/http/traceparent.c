/* traceparent is handed on as it came, so only its form is looked at. The hard thing: a later version may append more,
 * which is cut. */
#include "fronts/http/traceparent.h"

#include "base/text.h"

enum { LEN = 55 }; /* "00-" 32 "-" 16 "-" 2 */

static bool is_lower_hex(struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (cg_hex_digit(text.data[i]) < 0 || (text.data[i] >= 'A' && text.data[i] <= 'F')) return false;
    }
    return true;
}

static bool is_all_zeros(struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '0') return false;
    }
    return true;
}

/* W3C Trace Context §3.2: version, trace-id, parent-id, flags. A later version may append more behind a '-'. */
static bool is_traceparent(struct cg_slice text) {
    if (text.len < LEN) return false;
    struct cg_slice version = cg_slice_of(text.data, 2), trace = cg_slice_of(text.data + 3, 32);
    struct cg_slice parent = cg_slice_of(text.data + 36, 16), flags = cg_slice_of(text.data + 53, 2);
    if (text.data[2] != '-' || text.data[35] != '-' || text.data[52] != '-') return false;
    if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(parent) || !is_lower_hex(flags)) return false;
    if (cg_slice_is(version, "ff") || is_all_zeros(trace) || is_all_zeros(parent)) return false;
    if (text.len == LEN) return true;
    return !cg_slice_is(version, "00") && text.data[LEN] == '-';
}

struct cg_slice cg_http_traceparent(const struct cg_http_message *message) {
    struct cg_slice value;
    if (cg_http_field(message, "traceparent", &value) < 0 || !is_traceparent(value)) return CG_SLICE_NONE;
    return cg_slice_of(value.data, LEN);
}

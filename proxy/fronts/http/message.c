/* The fields of a request. The hard thing: a quoted string may hold what separates elements elsewhere. */
#include "fronts/http/message.h"

#include "base/text.h"

struct cg_slice cg_http_trim(struct cg_slice text) {
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) text.data++, text.len--;
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) text.len--;
    return text;
}

int cg_http_field(const struct cg_http_message *message, const char *name, struct cg_slice *value) {
    const struct cg_http_field *found = NULL;
    for (size_t i = 0; i < message->field_count; i++) {
        if (!cg_slice_is_nocase(message->fields[i].name, name)) continue;
        if (found != NULL) return CG_E_BAD_REQUEST;
        found = &message->fields[i];
    }
    if (found == NULL) return CG_E_NOT_FOUND;
    *value = cg_http_trim(found->value);
    return CG_OK;
}

bool cg_http_next_item(struct cg_slice *rest, char separator, struct cg_slice *item) {
    if (rest->data == NULL) return false;
    bool quoted = false;
    size_t at = 0;
    for (; at < rest->len; at++) {
        char c = (char)rest->data[at];
        if (quoted && c == '\\') {
            at++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == separator) {
            break;
        }
    }
    if (at > rest->len) at = rest->len; /* a backslash was the last byte */
    *item = cg_http_trim(cg_slice_of(rest->data, at));
    *rest = at < rest->len ? cg_slice_of(rest->data + at + 1, rest->len - at - 1) : CG_SLICE_NONE;
    return true;
}

bool cg_http_is_token(struct cg_slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (!cg_is_token_char(text.data[i])) return false;
    }
    return text.len > 0;
}

/* Preferences. The hard thing: nothing in Prefer is ever an error, so what is malformed must not hide what is not. */
#include "fronts/http/prefer.h"

#include "base/text.h"

static struct cg_slice unquote(struct cg_slice text) {
    bool quoted = text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"';
    return quoted ? cg_slice_of(text.data + 1, text.len - 2) : text;
}

/* token [ BWS "=" BWS word ] *( OWS ";" …) */
static bool is_preference(struct cg_slice item, const char *name, struct cg_slice *value) {
    struct cg_slice preference, found;
    if (!cg_http_next_item(&item, ';', &preference) || !cg_http_next_item(&preference, '=', &found)) return false;
    *value = preference.data == NULL ? CG_SLICE_NONE : unquote(cg_http_trim(preference));
    return cg_slice_is_nocase(found, name);
}

bool cg_http_preference(const struct cg_http_message *message, const char *name, struct cg_slice *value) {
    for (size_t i = 0; i < message->field_count; i++) {
        if (!cg_slice_is_nocase(message->fields[i].name, "Prefer")) continue;
        struct cg_slice rest = message->fields[i].value, item;
        while (cg_http_next_item(&rest, ',', &item)) {
            if (is_preference(item, name, value)) return true;
        }
    }
    return false;
}

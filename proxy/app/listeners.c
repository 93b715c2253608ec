/* Listeners, noted once. The hard thing is that a listener may be missing in a gateway that serves: the default CoAP
 * port may be another server's, and who asks for HTTP alone need not care. */
#include "app/listeners.h"

#include <stdlib.h>

static char *text_of(const struct cg_listen *wanted, const struct cg_listen *open) {
    char text[CG_ADDR_TEXT_MAX];
    if (open == NULL) return strdup(wanted->text);
    cg_addr_emit(&open->addr, text);
    return strdup(text);
}

void cg_listeners_note(struct cg_listeners *listeners, const char *front, const struct cg_listen *wanted,
                       const struct cg_listen *open, enum cg_listener_security security) {
    char *at = text_of(wanted, open);
    struct cg_listener_state *list = realloc(listeners->list, (listeners->count + 1) * sizeof *list);
    if (list != NULL) listeners->list = list;
    if (at == NULL || list == NULL) {
        free(at);
        return;
    }
    list[listeners->count++] = (struct cg_listener_state){
        .front = front, .at = at, .security = security, .serves = open != NULL, .insecure = wanted->insecure};
}

void cg_listeners_fini(struct cg_listeners *listeners) {
    for (size_t i = 0; i < listeners->count; i++) free(listeners->list[i].at);
    free(listeners->list);
    *listeners = (struct cg_listeners){0};
}

void cg_listeners_put_missing(const struct cg_listeners *listeners, enum cg_listeners_names names, struct cg_buf *to) {
    for (size_t i = 0; i < listeners->count; i++) {
        const struct cg_listener_state *state = &listeners->list[i];
        if (state->serves) continue;
        cg_buf_printf(to, "not listening: %s%s%s\n", state->front, names == CG_LISTENERS_NAMED ? " " : "",
                      names == CG_LISTENERS_NAMED ? state->at : "");
    }
}

static const char *word(bool is_so) { return is_so ? "true" : "false"; }

void cg_listeners_put_json(const struct cg_listeners *listeners, struct cg_buf *to) {
    cg_buf_put_str(to, "[");
    for (size_t i = 0; i < listeners->count; i++) {
        const struct cg_listener_state *state = &listeners->list[i];
        cg_buf_printf(to, "%s{\"front\":\"%s\",\"at\":", i == 0 ? "" : ",", state->front);
        cg_buf_put_json(to, cg_slice_str(state->at));
        cg_buf_printf(to, ",\"serves\":%s,\"encrypted\":%s,\"insecure\":%s}", word(state->serves),
                      word(state->security == CG_LISTENER_ENCRYPTS), word(state->insecure));
    }
    cg_buf_put_str(to, "]");
}

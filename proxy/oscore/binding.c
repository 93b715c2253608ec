/* Why: a response is only as good as its tie to one request, and only good once. Hard: a rekey in the middle of an
 * exchange. Partial IVs start again under the new context while late answers under the old one may still come, so both
 * windows are kept; a context older than both is refused, or its answers could be replayed. */
#include "oscore/state.h"
#include "oscore/binding.h"
#include "oscore/classes.h"

static uint8_t keep(uint8_t *to, struct cg_slice from) {
    if (from.len > 0) memcpy(to, from.data, from.len);
    return (uint8_t)from.len;
}

int cg_oscore_binding_parse(struct cg_oscore_binding *binding, const struct cg_msg *request) {
    struct cg_oscore_option option;
    struct cg_slice value;
    memset(binding, 0, sizeof(*binding));
    int err = cg_oscore_find_option(request, &value);
    if (err == CG_OK) err = cg_oscore_option_parse(&option, value);
    if (err != CG_OK) return err;
    if (option.piv.len == 0 || !option.has_kid || option.kid.len > CG_OSCORE_ID_MAX ||
        option.kid_context.len > CG_OSCORE_ID_CONTEXT_MAX)
        return CG_E_BAD_OPTION;
    binding->group_mode = option.group;
    binding->needs_number = true;
    binding->piv_len = keep(binding->piv, option.piv);
    binding->kid_len = keep(binding->kid, option.kid);
    binding->kid_context_len = keep(binding->kid_context, option.kid_context);
    return CG_OK;
}

void cg_oscore_binding_expect(struct cg_oscore_binding *binding, const struct cg_oscore_peer *server) {
    binding->has_server = true;
    binding->server_id_len = keep(binding->server_id, cg_oscore_peer_id(server));
    memcpy(binding->server, server->fingerprint, sizeof(binding->server));
}

static int slot_of(const struct cg_oscore_answers *answers, uint64_t generation) {
    for (int i = 0; i < 2; i++)
        if (answers->epoch[i].generation == generation) return i;
    return -1;
}

/* A free slot has generation 0 and is the older one. */
static int older_slot(const struct cg_oscore_answers *answers) {
    return answers->epoch[0].generation <= answers->epoch[1].generation ? 0 : 1;
}

bool cg_oscore_answers_accept(const struct cg_oscore_answers *answers, uint64_t generation, const uint64_t *number,
                              struct cg_slice kid) {
    if (answers->known && !cg_slice_equal(kid, cg_slice_of(answers->kid, answers->kid_len))) return false;
    if (number == NULL) return !answers->bare;
    int slot = slot_of(answers, generation);
    if (slot >= 0) return cg_oscore_window_accepts(&answers->epoch[slot].window, *number);
    return generation > answers->epoch[older_slot(answers)].generation;
}

bool cg_oscore_answers_mark(struct cg_oscore_answers *answers, uint64_t generation, const uint64_t *number,
                            struct cg_slice kid) {
    answers->known = true;
    answers->kid_len = keep(answers->kid, kid);
    if (number == NULL) { /* the oldest of all (RFC 10021 §5.3.1) */
        answers->bare = true;
        return answers->epoch[0].generation == 0 && answers->epoch[1].generation == 0;
    }
    int slot = slot_of(answers, generation);
    if (slot < 0) {
        slot = older_slot(answers);
        memset(&answers->epoch[slot], 0, sizeof(answers->epoch[slot]));
        answers->epoch[slot].generation = generation;
    }
    struct cg_oscore_window *window = &answers->epoch[slot].window;
    bool latest = generation >= answers->epoch[1 - slot].generation && (!window->used || *number > window->highest);
    cg_oscore_window_mark(window, *number);
    return latest;
}

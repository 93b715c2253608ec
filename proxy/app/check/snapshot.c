/* What a check changes in its excerpt of the settings, and by what it knows a mapping again. */
#include "app/check/snapshot.h"

#include "base/text.h"
#include "model/excerpt.h"
#include "model/mapping.h"

enum { ASK_S = 4 }; /* a member that is asked alone has no leisure */

static const double answers_late_s = 0.5; /* after leisure, for their way */

static uint32_t round_up(double seconds) {
    uint32_t whole = (uint32_t)seconds;
    return whole + (seconds > whole);
}

uint32_t cg_check_listens(const struct cg_check_order *order) {
    const struct cg_mapping *mapping = order->mapping;
    double timeout = mapping->has_timeout ? (double)mapping->timeout_us / 1e6 : 0;
    double leisure = mapping->leisure + answers_late_s;
    bool alone = mapping->complete && mapping->member_count == 1 && mapping->has_timeout;
    if (order->only != NULL) return ASK_S;
    return round_up(alone || timeout >= mapping->leisure ? timeout : leisure);
}

static uint32_t add_text(uint32_t hash, const char *text) {
    return text == NULL ? cg_fnv(hash, "", 1) : cg_fnv(hash, text, strlen(text) + 1);
}

uint32_t cg_check_digest(const struct cg_mapping *mapping) {
    uint32_t hash = add_text(CG_FNV_START, mapping->path);
    for (size_t i = 0; i < mapping->target_count; i++) {
        const struct cg_target *target = &mapping->targets[i];
        hash = add_text(add_text(hash, target->uri), target->interface);
        hash = cg_fnv(hash, &target->hops, sizeof target->hops);
    }
    hash = add_text(hash, mapping->keys == NULL ? NULL : mapping->keys->name);
    hash = cg_fnv(hash, &mapping->leisure, sizeof mapping->leisure);
    hash = cg_fnv(hash, &mapping->timeout_us, sizeof mapping->timeout_us);
    for (size_t i = 0; i < mapping->member_count; i++)
        hash = cg_fnv(add_text(hash, mapping->members[i].name), &mapping->members[i].addr, sizeof(struct cg_addr));
    return hash;
}

/* As where the only member is known (R6). */
static bool ask_only(struct cg_config *config, struct cg_mapping *mapping, const struct cg_member *only) {
    cg_excerpt_aim(config, &mapping->targets[0]);
    return cg_excerpt_expect(config, &only, 1);
}

static bool fill(struct cg_config *config, const struct cg_check_order *order) {
    struct cg_mapping *mapping = &config->mappings[0];
    mapping->repair_unicast = false; /* who is silent to the group is to be seen */
    mapping->repair_probe = false;   /* the check asks them itself */
    if (order->core && !cg_excerpt_go_to(config, CG_CHECK_CORE_PATH)) return false;
    if (order->only != NULL && !ask_only(config, mapping, order->only)) return false;
    return cg_mapping_index(config);
}

struct cg_config *cg_check_snapshot(struct cg_config *base, const struct cg_check_order *order) {
    struct cg_config *config = cg_excerpt_new(base, order->mapping);
    if (config == NULL || fill(config, order)) return config;
    cg_config_unref(config);
    return NULL;
}

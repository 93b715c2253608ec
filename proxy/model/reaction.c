/* Finding reactions: there are so few that they are looked at one by one. */
#include "model/reaction.h"

#include <string.h>

static bool names(const struct cg_occasion *when, const char *member) {
    size_t i = 0;
    while (i < when->from_count && strcmp(when->from[i], member) != 0) i++;
    return i < when->from_count;
}

bool cg_occasion_fits(const struct cg_occasion *when, const struct cg_alert *alert) {
    return when->method == alert->method && strcmp(when->group, alert->group) == 0 &&
           cg_slice_is(alert->path, when->path) && (when->from_count == 0 || names(when, alert->member));
}

const struct cg_reaction *cg_reaction_by_name(const struct cg_config *config, const char *name) {
    for (size_t i = 0; i < config->reaction_count; i++) {
        if (strcmp(config->reactions[i].name, name) == 0) return &config->reactions[i];
    }
    return NULL;
}

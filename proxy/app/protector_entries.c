/* Security groups and relays, made and freed; who may drop one, and when, protectors_plan.c decides. */
#include "app/protector_entries.h"

#include <stdlib.h>
#include <string.h>

void cg_named_group_free(struct cg_named_group *entry) {
    cg_group_oscore_free(entry->group);
    free(entry);
}

struct cg_named_group *cg_named_group_new(struct cg_group_services *services, const char *name) {
    struct cg_named_group *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->group = cg_group_oscore_new(services);
    if (entry->group == NULL) {
        free(entry);
        return NULL;
    }
    memcpy(entry->name, name, strlen(name) + 1);
    return entry;
}

void cg_relay_entry_free(struct cg_relay_entry *entry) {
    cg_relay_free(entry->relay);
    free(entry->file);
    free(entry);
}

struct cg_relay_entry *cg_relay_entry_new(const struct cg_relay_services *services, const char *file) {
    struct cg_relay_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->file = strdup(file);
    entry->relay = cg_relay_new(services);
    if (entry->file != NULL && entry->relay != NULL) return entry;
    cg_relay_entry_free(entry);
    return NULL;
}

void cg_protector_entries_free(struct cg_named_group **groups, struct cg_relay_entry **relays) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, *groups, group, next_group) {
        HASH_DEL(*groups, group);
        cg_named_group_free(group);
    }
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, *relays, relay, next_relay) {
        HASH_DEL(*relays, relay);
        cg_relay_entry_free(relay);
    }
}

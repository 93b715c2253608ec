/* The group as a protector: its epochs, and the life of bindings. The hard thing: a binding must outlive the cast that released it while
 * a thread still works for it. */
#include "group_oscore/binding.h"

#include <stdlib.h>

void cg_binding_free(struct cg_binding *binding) {
    struct cg_member_answers *member, *next_member;
    HASH_ITER(hh, binding->members, member, next_member) {
        HASH_DEL(binding->members, member);
        free(member);
    }
    struct cg_failing_source *source, *next_source;
    HASH_ITER(hh, binding->sources, source, next_source) {
        HASH_DEL(binding->sources, source);
        free(source);
    }
    cg_epoch_unref(binding->epoch);
    free(binding);
}

void cg_binding_end_job(struct cg_binding *binding) {
    binding->jobs--;
    if (binding->jobs == 0 && binding->released) cg_binding_free(binding);
}

static void group_release(struct cg_protector *protector, struct cg_binding *binding) {
    if (binding == NULL) return;
    struct cg_group_oscore *group = (struct cg_group_oscore *)protector;
    binding->jobs++; /* the cancelled jobs must not free it under our feet */
    binding->released = true;
    group->services->crypto->ops->cancel(group->services->crypto, &binding->lane);
    cg_binding_end_job(binding);
}

static const struct cg_protector_ops group_ops = {
    .name = "group_oscore", .seal = cg_group_seal, .open = cg_group_open, .release = group_release};

struct cg_group_oscore *cg_group_oscore_new(const struct cg_group_services *services) {
    struct cg_group_oscore *group = calloc(1, sizeof *group);
    if (group == NULL) return NULL;
    group->protector.ops = &group_ops;
    group->services = services;
    return group;
}

void cg_group_oscore_free(struct cg_group_oscore *group) {
    if (group == NULL) return;
    cg_group_opening_free(group->lent);
    cg_epoch_unref(group->current);
    cg_epoch_unref(group->next);
    free(group);
}

struct cg_protector *cg_group_oscore_protector(struct cg_group_oscore *group) { return &group->protector; }

int cg_group_oscore_prepare(struct cg_group_oscore *group, const struct cg_group_keys *keys, const char **why) {
    struct cg_epoch *next;
    int err = cg_epoch_new(&next, group->services->senders, keys, why);
    if (err < 0) return err;
    cg_epoch_unref(group->next);
    group->next = next;
    return CG_OK;
}

int cg_group_oscore_activate(struct cg_group_oscore *group, const struct cg_group_keys *keys, const char **why) {
    struct cg_epoch *fresh;
    int err = cg_epoch_new(&fresh, group->services->senders, keys, why);
    if (err < 0) return err;
    if (group->current != NULL && group->services->gateway != NULL) {
        uint64_t now_us = cg_gateway_now(group->services->gateway);
        group->current->retired_us = now_us > 0 ? now_us : 1;
    }
    cg_epoch_unref(group->current);
    group->current = fresh;
    cg_epoch_unref(group->next);
    group->next = NULL;
    return CG_OK;
}

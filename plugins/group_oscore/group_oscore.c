/* The group as a protector: its epochs, and the life of bindings. The hard thing: a binding must outlive the cast that
 * released it while a thread still works for it. */
#include "group_oscore/binding.h"
#include "legs/engine.h"

#include <stdlib.h>
#include <utlist.h>

void cg_binding_free(struct cg_binding *binding) {
    cg_tied_request_unref(binding->request);
    cg_ties_unref(binding->ties);
    free(binding);
}

void cg_binding_end_job(struct cg_binding *binding) {
    binding->jobs--;
    if (binding->jobs == 0 && binding->released) cg_binding_free(binding);
}

static void group_release(struct cg_protector *protector, struct cg_binding *binding) {
    if (binding == NULL) return;
    struct cg_group_oscore *group = cg_group_oscore_of(protector);
    binding->jobs++; /* the cancelled jobs must not free it under our feet */
    binding->released = true;
    cg_group_open_none(binding);
    group->services->crypto->ops->cancel(group->services->crypto, &binding->lane);
    cg_binding_end_job(binding);
}

struct cg_epoch *cg_group_epoch_for(const struct cg_binding *binding) {
    const struct cg_group_oscore *group = binding->group;
    const struct cg_tied_request *request = binding->request;
    bool may_be_ahead = group->current != NULL && group->next != NULL && request->for_one && !request->stays;
    bool is_ahead = may_be_ahead && cg_epoch_is_held_by(group->next, cg_tied_identity(request));
    return is_ahead ? group->next : group->current;
}

bool cg_group_is_stale(const struct cg_binding *binding) {
    const struct cg_epoch *wanted = cg_group_epoch_for(binding), *epoch = binding->request->epoch;
    return wanted == NULL || epoch == NULL || !cg_epoch_same_sender(epoch, wanted);
}

static bool group_is_stale(struct cg_protector *protector, const struct cg_binding *binding) {
    (void)protector;
    return cg_group_is_stale(binding);
}

static void group_left(struct cg_protector *protector, const struct cg_binding *binding) {
    const struct cg_group_oscore *group = cg_group_oscore_of(protector);
    cg_ties_sent(binding->ties, binding->request, cg_engine_now(group->services->engine));
}

static bool group_find(struct cg_protector *protector, struct cg_slice identity, struct cg_addr *at) {
    const struct cg_group_oscore *group = cg_group_oscore_of(protector);
    return group->current != NULL && cg_epoch_find_address(group->current, identity, at);
}

/* Without keys nobody is: nothing can be sent that would change it. */
static bool group_is_cold(struct cg_protector *protector, struct cg_slice identity) {
    const struct cg_group_oscore *group = cg_group_oscore_of(protector);
    return group->current != NULL && cg_epoch_is_cold(group->current, identity);
}

static enum cg_standing group_standing(struct cg_protector *protector, struct cg_slice identity) {
    const struct cg_group_oscore *group = cg_group_oscore_of(protector);
    if (group->current == NULL || cg_epoch_find(group->current, identity) == NULL) return CG_STANDING_NONE;
    return cg_epoch_is_proven_held(group->current, identity) ? CG_STANDING_PROVEN : CG_STANDING_MEMBER;
}

static const struct cg_protector_ops group_ops = {.name = "group_oscore",
                                                  .seal = cg_group_seal,
                                                  .measure = cg_group_measure,
                                                  .open = cg_group_open,
                                                  .is_stale = group_is_stale,
                                                  .left = group_left,
                                                  .find = group_find,
                                                  .is_cold = group_is_cold,
                                                  .standing = group_standing,
                                                  .release = group_release};

struct cg_group_oscore *cg_group_oscore_new(struct cg_group_services *services) {
    struct cg_group_oscore *group = calloc(1, sizeof *group);
    if (group == NULL) return NULL;
    group->protector.ops = &group_ops;
    group->server.ops = &cg_group_server_ops;
    group->services = services;
    return group;
}

void cg_group_oscore_free(struct cg_group_oscore *group) {
    if (group == NULL) return;
    cg_group_opening_free(group->lent);
    cg_group_oscore_discard(group);
    cg_epoch_unref(group->current);
    cg_epoch_unref(group->next);
    free(group);
}

struct cg_protector *cg_group_oscore_protector(struct cg_group_oscore *group) {
    return &group->protector;
}

struct cg_server *cg_group_oscore_server(struct cg_group_oscore *group) {
    return &group->server;
}

const uint8_t *cg_group_oscore_current(const struct cg_group_oscore *group) {
    return group->current == NULL ? NULL : group->current->digest;
}

const uint8_t *cg_group_oscore_next(const struct cg_group_oscore *group) {
    return group->next == NULL ? NULL : group->next->digest;
}

bool cg_group_oscore_is_proven(const struct cg_group_oscore *group, enum cg_group_which which,
                               struct cg_slice identity) {
    const struct cg_epoch *epoch = which == CG_GROUP_NEXT ? group->next : group->current;
    return epoch != NULL && cg_epoch_is_proven_held(epoch, identity);
}

size_t cg_group_oscore_cold(const struct cg_group_oscore *group) {
    return group->current == NULL ? 0 : group->current->cold_count;
}

/* Epochs */

static bool has_digest(const struct cg_epoch *epoch, const struct cg_group_keys *keys) {
    return epoch != NULL && memcmp(epoch->digest, keys->digest, sizeof epoch->digest) == 0;
}

/* What was accepted under these keys stays accepted, however often they come back with other members or under another
 * Sender ID. */
static void inherit_generation(struct cg_group_oscore *group, const struct cg_epoch *epoch) {
    unsigned count = group->known_count < CG_KNOWN_KEYS ? group->known_count : CG_KNOWN_KEYS;
    for (unsigned i = 0; i < count; i++) {
        if (memcmp(group->known[i].keys, epoch->keys, sizeof epoch->keys) != 0) continue;
        cg_oscore_set_generation(epoch->context, group->known[i].generation);
        return;
    }
    struct cg_known_keys *known = &group->known[group->known_count++ % CG_KNOWN_KEYS];
    memcpy(known->keys, epoch->keys, sizeof known->keys);
    known->generation = cg_oscore_generation(epoch->context);
}

/* One that was prepared, or a new one, in the group. */
static int new_epoch(struct cg_group_oscore *group, const struct cg_group_keys *keys, struct cg_epoch **epoch,
                     const char **why) {
    int err = CG_OK;
    if (keys->made != NULL) {
        *epoch = cg_epoch_ref(keys->made);
    } else {
        err = cg_epoch_new(epoch, keys, why);
    }
    if (err == CG_OK) err = cg_epoch_set_sender(*epoch, group->services->senders, &keys->sender);
    if (err < 0) return err;
    inherit_generation(group, *epoch);
    cg_epoch_inherit(*epoch, group->next);
    cg_epoch_inherit(*epoch, group->current);
    (*epoch)->all = &group->epochs;
    DL_APPEND(group->epochs, *epoch);
    return CG_OK;
}

/* What is in use already goes on; but what is retired does not come back as `next`. NULL: it is not in use. */
static struct cg_epoch *in_use(const struct cg_group_oscore *group, const struct cg_group_keys *keys, bool is_next) {
    if (!is_next && has_digest(group->current, keys)) return group->current;
    return has_digest(group->next, keys) ? group->next : NULL;
}

static int get_epoch(struct cg_group_oscore *group, const struct cg_group_keys *keys, bool is_next,
                     struct cg_epoch **epoch, const char **why) {
    if (keys == NULL) return CG_OK;
    struct cg_epoch *known = in_use(group, keys, is_next);
    if (known == NULL) return new_epoch(group, keys, epoch, why);
    *epoch = cg_epoch_ref(known);
    return CG_OK;
}

static bool is_the_same(const struct cg_group_keys *a, const struct cg_group_keys *b) {
    return a != NULL && b != NULL && memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

int cg_group_oscore_prepare(const struct cg_group_oscore *group, struct cg_group_keys *current,
                            struct cg_group_keys *next, const char **why) {
    int err = CG_OK;
    if (current != NULL && in_use(group, current, false) == NULL) err = cg_epoch_new(&current->made, current, why);
    if (err < 0 || next == NULL || is_the_same(current, next) || in_use(group, next, true) != NULL) return err;
    return cg_epoch_new(&next->made, next, why);
}

void cg_group_keys_fini(struct cg_group_keys *keys) {
    cg_epoch_unref(keys->made);
    keys->made = NULL;
}

int cg_group_oscore_stage(struct cg_group_oscore *group, const struct cg_group_keys *current,
                          const struct cg_group_keys *next, const char **why) {
    cg_group_oscore_discard(group);
    int err = get_epoch(group, current, false, &group->staged_current, why);
    if (err == CG_OK && !is_the_same(current, next)) err = get_epoch(group, next, true, &group->staged_next, why);
    if (err < 0) cg_group_oscore_discard(group);
    return err;
}

void cg_group_oscore_discard(struct cg_group_oscore *group) {
    cg_epoch_unref(group->staged_current);
    cg_epoch_unref(group->staged_next);
    group->staged_current = group->staged_next = NULL;
}

static bool uses_keys_of(const struct cg_epoch *epoch, const struct cg_epoch *in_use) {
    return in_use != NULL && cg_epoch_same_keys(epoch, in_use);
}

/* Everything whose key material is in use no more. Where only members or the gateway's Sender ID changed, the members'
 * keys go on, the pairwise ones as well (RFC 10021 §2.6.3.1). */
static void retire_replaced(struct cg_group_oscore *group) {
    uint64_t now_us = group->services->engine == NULL ? 0 : cg_engine_now(group->services->engine);
    struct cg_epoch *epoch;
    DL_FOREACH(group->epochs, epoch) {
        bool in_use = uses_keys_of(epoch, group->current) || uses_keys_of(epoch, group->next);
        if (in_use || epoch->retired_us != 0) continue;
        epoch->retired_us = now_us > 0 ? now_us : 1;
        cg_oscore_context_retire(epoch->context);
    }
}

static void keep_windows(const struct cg_group_oscore *group, const struct cg_epoch *older) {
    cg_epoch_keep_windows(group->current, older);
    cg_epoch_keep_windows(group->next, older);
}

void cg_group_oscore_commit(struct cg_group_oscore *group) {
    struct cg_epoch *old = group->current, *old_next = group->next;
    group->current = group->staged_current;
    group->next = group->staged_next;
    group->staged_current = group->staged_next = NULL;
    bool left = old != NULL && group->current == NULL;
    bool is_new = group->current != NULL && (old == NULL || !cg_epoch_same_sender(old, group->current));
    group->protector.renewals += is_new;
    keep_windows(group, old);
    keep_windows(group, old_next);
    cg_epoch_unref(old);
    cg_epoch_unref(old_next);
    retire_replaced(group);
    if (left && group->services->engine != NULL) cg_engine_left(group->services->engine, &group->protector);
}

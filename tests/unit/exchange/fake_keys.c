#include "exchange/fake_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container.h"
#include "exchange/spoken.h"

struct cg_binding {
    unsigned epoch;
};

static struct fake_keys *keys_of(struct cg_protector *protector) {
    return CG_CONTAINER(protector, struct fake_keys, protector);
}

static int keys_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                     struct cg_binding **binding, struct cg_problem *problem) {
    struct fake_keys *keys = keys_of(protector);
    uint8_t epoch = (uint8_t)keys->epoch;
    struct cg_opt list[32];
    struct cg_sealing marked = *sealing;
    (void)job;
    assert_true(sealing->options.count < 32);
    if (sealing->options.count > 0) memcpy(list, sealing->options.list, sealing->options.count * sizeof *list);
    list[marked.options.count++] = (struct cg_opt){.number = SPOKEN_KEYS, .value = cg_slice_of(&epoch, 1)};
    marked.options.list = list;
    int err = cg_sealing_emit(&marked, out, problem);
    if (err < 0) return err;
    *binding = malloc(sizeof **binding);
    assert_non_null(*binding);
    (*binding)->epoch = keys->epoch;
    keys->bindings++;
    return CG_OK;
}

static int keys_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                     struct cg_opened *opened) {
    struct fake_keys *keys = keys_of(protector);
    (void)job;
    *opened = (struct cg_opened){.code = opening->msg->code,
                                 .options = opening->msg->options,
                                 .payload = opening->msg->payload,
                                 .verified = CASTGATE_VERIFIED_SOURCE};
    bool challenges = opened->code == CG_CODE(4, 1) && cg_msg_find(opening->msg, CG_OPT_ECHO, &opened->echo);
    if (challenges) keys->challenger = opening->from;
    if (cg_addr_equal(&opening->from, &keys->challenger))
        opened->identity = cg_slice_of(&keys->challenger, sizeof keys->challenger);
    return CG_OK;
}

static bool keys_is_stale(struct cg_protector *protector, const struct cg_binding *binding) {
    return binding->epoch != keys_of(protector)->epoch;
}

static void keys_release(struct cg_protector *protector, struct cg_binding *binding) {
    if (binding == NULL) return;
    keys_of(protector)->bindings--;
    free(binding);
}

static const struct cg_protector_ops keys_ops = {
    .name = "keys", .seal = keys_seal, .open = keys_open, .is_stale = keys_is_stale, .release = keys_release};

void fake_keys_init(struct fake_keys *keys) { *keys = (struct fake_keys){.protector.ops = &keys_ops, .epoch = 1}; }

/* The protector of "security": "none": messages pass as they are, nothing is proved about who answered (R58). */
#include "builtin.h"
#include "legs/protector.h"

static int none_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                     struct cg_binding **binding, struct cg_problem *problem) {
    (void)protector;
    (void)job;
    *binding = NULL;
    return cg_sealing_emit(sealing, out, problem);
}

static int none_open(struct cg_protector *protector, const struct cg_opening *opening, uint64_t job,
                     struct cg_opened *opened) {
    (void)protector;
    (void)job;
    *opened = (struct cg_opened){
        .code = opening->msg->code,
        .options = opening->msg->options,
        .payload = opening->msg->payload,
        .verified = CASTGATE_VERIFIED_NONE,
    };
    return CG_OK;
}

static void none_release(struct cg_protector *protector, struct cg_binding *binding) {
    (void)protector;
    (void)binding;
}

static const struct cg_protector_ops none_ops = {
    .name = "none", .seal = none_seal, .open = none_open, .release = none_release};

struct cg_protector *cg_protector_none(void) {
    static struct cg_protector protector = {.ops = &none_ops};
    return &protector;
}

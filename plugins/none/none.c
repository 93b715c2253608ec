/* The protector of "security": "none": messages pass as they are, nothing is proved about who answered (R58). */
#include "builtin.h"
#include "core/protector.h"

enum { DATAGRAM_MAX = 65507 };

static int none_seal(struct cg_protector *protector, const struct cg_sealing *sealing, uint64_t job, struct cg_buf *out,
                     struct cg_binding *binding, struct cg_problem *problem) {
    (void)protector;
    (void)job;
    size_t size = 64 + sealing->payload.len;
    for (size_t i = 0; i < sealing->options.count; i++) size += sealing->options.list[i].value.len + 5;
    if (size > DATAGRAM_MAX) size = DATAGRAM_MAX;
    uint8_t *to = cg_buf_reserve(out, size);
    if (to == NULL) return cg_problem_set(problem, CG_E_NO_MEMORY, "the system has no memory left");
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, to, size, sealing->type, sealing->method, sealing->mid, sealing->token);
    for (size_t i = 0; i < sealing->options.count; i++) {
        cg_msg_put_opt(&writer, sealing->options.list[i].number, sealing->options.list[i].value);
    }
    cg_msg_put_payload(&writer, sealing->payload);
    int len = cg_msg_end(&writer);
    if (len < 0) return cg_problem_set(problem, CG_E_TOO_BIG, "the group request does not fit into one datagram");
    out->len += (size_t)len;
    binding->len = 0;
    return CG_OK;
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

static const struct cg_protector_ops none_ops = {.name = "none", .seal = none_seal, .open = none_open};

struct cg_protector *cg_protector_none(void) {
    static struct cg_protector protector = {.ops = &none_ops};
    return &protector;
}

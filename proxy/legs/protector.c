/* What every protector needs: the request's plain bytes, and the way out. */
#include "legs/protector.h"
#include "legs/port.h"

enum { OPTION_HEAD_MAX = 5, HEAD_MAX = 4 + CG_TOKEN_MAX + 1 };

static int too_big(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_TOO_BIG, "the group request does not fit into one datagram");
}

int cg_sealing_emit(const struct cg_sealing *sealing, struct cg_buf *out, struct cg_problem *problem) {
    size_t size = HEAD_MAX + sealing->payload.len;
    for (size_t i = 0; i < sealing->options.count; i++) size += OPTION_HEAD_MAX + sealing->options.list[i].value.len;
    if (size > CG_DATAGRAM_MAX) size = CG_DATAGRAM_MAX;
    uint8_t *to = cg_buf_reserve(out, size);
    if (to == NULL) return cg_problem_no_memory(problem);
    struct cg_msg_writer writer;
    cg_msg_begin(&writer, to, size, sealing->type, sealing->method, sealing->mid, sealing->token);
    for (size_t i = 0; i < sealing->options.count; i++) {
        cg_msg_put_opt(&writer, sealing->options.list[i].number, sealing->options.list[i].value);
    }
    cg_msg_put_payload(&writer, sealing->payload);
    int len = cg_msg_end(&writer);
    if (len < 0) return too_big(problem);
    out->len += (size_t)len;
    return CG_OK;
}

int cg_protector_measure(struct cg_protector *protector, const struct cg_sealing *sealing, size_t *size,
                         struct cg_problem *problem) {
    if (protector->ops->measure != NULL) return protector->ops->measure(protector, sealing, size, problem);
    struct cg_buf datagram;
    cg_buf_init(&datagram, CG_DATAGRAM_MAX);
    int err = cg_sealing_emit(sealing, &datagram, problem);
    *size = datagram.len;
    cg_buf_fini(&datagram);
    return err;
}

int cg_sealed_check(const struct cg_buf *datagram, struct cg_problem *problem) {
    int err = cg_buf_error(datagram);
    if (err == CG_OK) return CG_OK;
    return err == CG_E_TOO_BIG ? too_big(problem) : cg_problem_no_memory(problem);
}

int cg_protector_emit(struct cg_protector *protector, const struct cg_binding *binding, const struct cg_port *port,
                      const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    const struct cg_protector_ops *ops = protector->ops;
    int err = ops->leave == NULL ? CG_OK : ops->leave(protector, binding, problem);
    if (err == CG_OK) err = cg_port_emit(port, route, datagram, problem);
    if (err == CG_OK && ops->left != NULL) ops->left(protector, binding);
    return err;
}

/* Where its credential has verified, also where the settings name an address: at another host it has moved, or is
 * behind a translated address. At the same host they say which port it listens at, and it may have answered from any.
 */
bool cg_protector_find(struct cg_protector *protector, const struct cg_member *member, struct cg_addr *at) {
    struct cg_addr verified;
    bool is_found = protector->ops->find != NULL && protector->ops->find(protector, member->identity, &verified);
    bool has_moved = is_found && !cg_addr_same_host(&member->addr, &verified);
    *at = has_moved ? verified : member->addr;
    return at->family != CG_FAMILY_NONE;
}

bool cg_protector_is_cold(struct cg_protector *protector, struct cg_slice identity) {
    return protector->ops->is_cold != NULL && protector->ops->is_cold(protector, identity);
}

/* Keys. The hard thing: what a mapping says is in the key as a number that no other settings of it ever have
 * (cache_editions.h), so whatever is changed there finds nothing of before; the same goes for the group's keys, and
 * for groups that are left, one of which may come again. */
#include "rounds/cache_key.h"

#include "rounds/shape.h"

static bool is_for_members(uint16_t number) {
    switch (number) {
    case CG_OPT_IF_MATCH:
    case CG_OPT_ETAG:
    case CG_OPT_IF_NONE_MATCH:
    case CG_OPT_BLOCK1:
    case CG_OPT_NO_RESPONSE:
    case CG_OPT_OSCORE: return true;
    default: return false;
    }
}

/* Observe is not of it (RFC 7641 §2), and Block2 asks for the same in other pieces; the gateway puts them together. */
static bool is_of_key(uint16_t number) {
    return number != CG_OPT_OBSERVE && number != CG_OPT_BLOCK2 && number != CG_OPT_HOP_LIMIT &&
           !cg_opt_is_no_cache_key(number);
}

bool cg_cache_keeps(const struct cg_mapping *mapping, const struct cg_leg_request *request) {
    bool keeps = mapping->cache && mapping->complete && mapping->member_count > 0 && !mapping->is_unsaved &&
                 mapping->edition != 0 && mapping->security != CG_SECURITY_RELAY &&
                 (CG_METHOD_BIT(request->method) & CG_METHODS_SAFE) != 0 && request->expects_answers;
    for (size_t i = 0; i < request->options.count && keeps; i++) {
        keeps = !is_for_members(request->options.list[i].number);
    }
    return keeps;
}

struct key_head {
    uint64_t edition, renewals, departures;
    uint32_t method, payload; /* its length, which tells where options end */
};

void cg_cache_key_emit(struct cg_buf *to, const struct cg_mapping *mapping, uint64_t departures,
                       const struct cg_leg_request *request) {
    const struct key_head head = {mapping->edition, mapping->protector->renewals, departures, request->method,
                                  (uint32_t)request->payload.len};
    cg_buf_put(to, &head, sizeof head);
    for (size_t i = 0; i < request->options.count; i++) {
        const struct cg_opt *opt = &request->options.list[i];
        if (is_of_key(opt->number)) cg_shape_emit_option(to, opt);
    }
    cg_buf_put_slice(to, request->payload);
}

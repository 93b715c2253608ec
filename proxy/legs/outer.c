/* Outer Reply-From. The hard thing: a member could say inside where it is, and must not be taken for the next hop. */
#include "legs/outer.h"

enum { HEADERS = 16 /* of the option, and of the one behind it whose delta becomes another */ };

static uint16_t number_of(const struct cg_leg *leg) { return leg->config->options.reply_from; }

void cg_outer_keep(struct cg_outer *outer, const struct cg_leg *leg, const struct cg_msg *msg) {
    struct cg_slice value;
    outer->len = 0;
    if (!leg->hands_on || !cg_msg_find(msg, number_of(leg), &value) || value.len > sizeof outer->value) return;
    memcpy(outer->value, value.data, value.len);
    outer->len = (uint8_t)value.len;
}

bool cg_outer_add(const struct cg_outer *outer, const struct cg_leg *leg, struct cg_opened *opened,
                  struct cg_buf *room) {
    const struct cg_msg msg = {.options = opened->options};
    const size_t cap = opened->options.len + outer->len + HEADERS;
    uint8_t *at = cg_buf_reserve(room, cap);
    struct cg_msg_writer writer;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool is_put = outer->len == 0;
    if (at == NULL) return false;
    cg_msg_begin_inner(&writer, at, cap, CG_EMPTY);
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (!is_put && opt.number >= number_of(leg)) {
            cg_msg_put_opt(&writer, number_of(leg), cg_slice_of(outer->value, outer->len));
            is_put = true;
        }
        if (opt.number != number_of(leg)) cg_msg_put_opt(&writer, opt.number, opt.value);
    }
    if (!is_put) cg_msg_put_opt(&writer, number_of(leg), cg_slice_of(outer->value, outer->len));
    int len = cg_msg_end(&writer);
    if (len < 1) return false;
    opened->options = cg_slice_of(at + 1, (size_t)len - 1); /* behind the code */
    return true;
}

/* The options of an answer that have no place of their own in HTTP: what the gateway does not understand is shown, not
 * dropped. */
#include "mixed/options.h"

#include "lend.h"
#include "wire/msg.h"

void cg_put_byte_sequence(struct cg_buf *to, struct castgate_slice bytes) {
    cg_buf_put_u8(to, ':');
    cg_buf_put_base64(to, cg_borrow(bytes));
    cg_buf_put_u8(to, ':');
}

/* Said by a header of its own, or of no use to the client once its blocks are put together. */
static bool is_said_elsewhere(uint16_t number) {
    switch (number) {
    case CG_OPT_ETAG:
    case CG_OPT_OSCORE:
    case CG_OPT_CONTENT_FORMAT:
    case CG_OPT_MAX_AGE:
    case CG_OPT_BLOCK2:
    case CG_OPT_SIZE2: return true;
    default: return false;
    }
}

void cg_put_castgate_options(struct cg_buf *to, const struct castgate_answer *answer) {
    struct cg_msg msg = {.options = cg_borrow(answer->options)};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool first = true;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (is_said_elsewhere(opt.number)) continue;
        if (!first) cg_buf_put_str(to, ", ");
        first = false;
        cg_buf_put_decimal(to, opt.number);
        cg_buf_put_str(to, ";v=");
        cg_put_byte_sequence(to, (struct castgate_slice){.data = opt.value.data, .len = opt.value.len});
    }
}

#include "recorder/put.h"

void cg_put_key(struct cg_buf *to, const char *key) {
    const char last = to->len == 0 ? '{' : (char)to->data[to->len - 1];
    if (last != '{' && last != '[') cg_buf_put_u8(to, ',');
    cg_buf_put_u8(to, '"');
    cg_buf_put_str(to, key);
    cg_buf_put_str(to, "\":");
}

void cg_put_number(struct cg_buf *to, const char *key, uint64_t number) {
    cg_put_key(to, key);
    cg_buf_put_decimal(to, number);
}

void cg_put_bool(struct cg_buf *to, const char *key, bool is_so) {
    cg_put_key(to, key);
    cg_buf_put_str(to, is_so ? "true" : "false");
}

/* Empty: null. */
void cg_put_text(struct cg_buf *to, const char *key, const char *text) {
    cg_put_key(to, key);
    if (text[0] == 0) {
        cg_buf_put_str(to, "null");
    } else {
        cg_buf_put_json(to, cg_slice_str(text));
    }
}

void cg_put_addr(struct cg_buf *to, const char *key, const struct cg_addr *addr) {
    char text[CG_ADDR_TEXT_MAX] = "";
    if (addr->family != CG_FAMILY_NONE) cg_addr_emit(addr, text);
    cg_put_text(to, key, text);
}

void cg_put_hex(struct cg_buf *to, const char *key, struct cg_slice bytes) {
    cg_put_key(to, key);
    cg_buf_put_u8(to, '"');
    cg_buf_put_hex(to, bytes);
    cg_buf_put_u8(to, '"');
}

void cg_put_time(struct cg_buf *to, const char *key, int64_t us) {
    cg_put_key(to, key);
    if (us < 0) cg_buf_put_u8(to, '-');
    cg_buf_put_decimal(to, us < 0 ? 0 - (uint64_t)us : (uint64_t)us);
}

/* The growable buffer. The hard thing: a failure must be sticky, so that callers can write a whole message and check
 * once, and must never leave a half-grown state behind. */
#include "base/buf.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAP = 256 };

void cg_buf_init(struct cg_buf *buf, size_t max) { *buf = (struct cg_buf){.max = max}; }

void cg_buf_fini(struct cg_buf *buf) {
    free(buf->data);
    *buf = (struct cg_buf){.max = buf->max};
}

void cg_buf_clear(struct cg_buf *buf) {
    buf->len = 0;
    buf->failed = buf->full = false;
}

int cg_buf_error(const struct cg_buf *buf) {
    if (!buf->failed) return CG_OK;
    return buf->full ? CG_E_TOO_BIG : CG_E_NO_MEMORY;
}

static uint8_t *grow(struct cg_buf *buf, size_t more) {
    buf->full = more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4 || (buf->max != 0 && buf->len + more > buf->max);
    if (buf->full) goto fail;
    size_t need = buf->len + more;
    if (need > buf->cap || buf->data == NULL) {
        size_t cap = buf->cap == 0 ? FIRST_CAP : buf->cap;
        while (cap < need) cap *= 2;
        if (buf->max != 0 && cap > buf->max) cap = buf->max;
        if (cap == 0) cap = 1;
        uint8_t *grown = realloc(buf->data, cap);
        if (grown == NULL) goto fail;
        buf->data = grown;
        buf->cap = cap;
    }
    return buf->data + buf->len;
fail:
    buf->failed = true;
    return NULL;
}

static inline uint8_t *reserve(struct cg_buf *buf, size_t more) {
    if (buf->failed) return NULL;
    if (more > buf->cap - buf->len || buf->data == NULL) return grow(buf, more);
    return buf->data + buf->len;
}

uint8_t *cg_buf_reserve(struct cg_buf *buf, size_t more) { return reserve(buf, more); }

void cg_buf_put(struct cg_buf *buf, const void *data, size_t len) {
    if (len == 0) return;
    uint8_t *to = reserve(buf, len);
    if (to == NULL) return;
    memcpy(to, data, len);
    buf->len += len;
}

void cg_buf_put_slice(struct cg_buf *buf, struct cg_slice slice) { cg_buf_put(buf, slice.data, slice.len); }

void cg_buf_put_str(struct cg_buf *buf, const char *text) { cg_buf_put(buf, text, strlen(text)); }

void cg_buf_put_u8(struct cg_buf *buf, uint8_t byte) {
    uint8_t *to = reserve(buf, 1);
    if (to == NULL) return;
    *to = byte;
    buf->len++;
}

void cg_buf_put_decimal(struct cg_buf *buf, uint64_t number) {
    char digits[CG_DECIMAL_MAX];
    cg_buf_put(buf, digits, cg_decimal_emit(digits, number));
}

void cg_buf_printf(struct cg_buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char small[256];
    int wanted = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (wanted < 0) {
        buf->failed = true;
        return;
    }
    if ((size_t)wanted < sizeof small) {
        cg_buf_put(buf, small, (size_t)wanted);
        return;
    }
    uint8_t *to = cg_buf_reserve(buf, (size_t)wanted + 1);
    if (to == NULL) return;
    va_start(args, format);
    vsnprintf((char *)to, (size_t)wanted + 1, format, args);
    va_end(args);
    buf->len += (size_t)wanted;
}

void cg_buf_put_base64(struct cg_buf *buf, struct cg_slice bytes) {
    size_t len = cg_base64_len(bytes.len);
    uint8_t *to = cg_buf_reserve(buf, len);
    if (to == NULL) return;
    cg_base64_emit((char *)to, bytes);
    buf->len += len;
}

void cg_buf_put_base64url(struct cg_buf *buf, struct cg_slice bytes) {
    uint8_t *to = cg_buf_reserve(buf, cg_base64_len(bytes.len));
    if (to == NULL) return;
    buf->len += cg_base64url_emit((char *)to, bytes);
}

void cg_buf_put_hex(struct cg_buf *buf, struct cg_slice bytes) {
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = cg_buf_reserve(buf, bytes.len * 2);
    if (to == NULL) return;
    for (size_t i = 0; i < bytes.len; i++) {
        *to++ = (uint8_t)digits[bytes.data[i] >> 4];
        *to++ = (uint8_t)digits[bytes.data[i] & 15];
    }
    buf->len += bytes.len * 2;
}

static void put_json_escaped(struct cg_buf *buf, uint8_t byte) {
    switch (byte) {
    case '"': cg_buf_put_str(buf, "\\\""); break;
    case '\\': cg_buf_put_str(buf, "\\\\"); break;
    case '\n': cg_buf_put_str(buf, "\\n"); break;
    case '\r': cg_buf_put_str(buf, "\\r"); break;
    case '\t': cg_buf_put_str(buf, "\\t"); break;
    default: cg_buf_printf(buf, "\\u%04x", byte); break;
    }
}

void cg_buf_put_json(struct cg_buf *buf, struct cg_slice text) {
    cg_buf_put_u8(buf, '"');
    size_t at = 0, plain = 0; /* [plain, at) is a run that needs no change */
    while (at < text.len) {
        uint8_t byte = text.data[at];
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
            at++;
            continue;
        }
        size_t sequence = byte < 0x80 ? 0 : cg_utf8_sequence(text.data + at, text.len - at);
        if (sequence > 0) {
            at += sequence;
            continue;
        }
        cg_buf_put(buf, text.data + plain, at - plain);
        if (byte < 0x80) {
            put_json_escaped(buf, byte);
        } else {
            cg_buf_put_str(buf, "\xef\xbf\xbd");
        }
        plain = ++at;
    }
    if (plain < at) cg_buf_put(buf, text.data + plain, at - plain);
    cg_buf_put_u8(buf, '"');
}

uint8_t *cg_buf_detach(struct cg_buf *buf, size_t *len) {
    uint8_t *data = buf->data;
    *len = buf->len;
    *buf = (struct cg_buf){.max = buf->max};
    return data;
}

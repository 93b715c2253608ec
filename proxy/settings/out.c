/* JSON as text. The hard thing: numbers must lose no digit, since what is printed is read again. */
#include "settings/out.h"

#include <stdio.h>
#include <stdlib.h>

static void new_line(struct cg_out *out) {
    cg_buf_put_u8(out->buf, '\n');
    for (unsigned i = 0; i < out->depth; i++) cg_buf_put_str(out->buf, "  ");
}

/* What comes before a value: comma, new line, indentation, key. */
static void lead(struct cg_out *out, const char *key) {
    if (!out->fresh) cg_buf_put_u8(out->buf, ',');
    if (out->depth > 0) new_line(out);
    if (key != NULL) {
        cg_buf_put_json(out->buf, cg_slice_str(key));
        cg_buf_put_str(out->buf, ": ");
    }
    out->fresh = false;
}

void cg_out_open(struct cg_out *out, const char *key, char bracket) {
    lead(out, key);
    cg_buf_put_u8(out->buf, (uint8_t)bracket);
    out->depth++;
    out->fresh = true;
}

void cg_out_close(struct cg_out *out, char bracket) {
    out->depth--;
    if (!out->fresh) new_line(out);
    cg_buf_put_u8(out->buf, (uint8_t)bracket);
    out->fresh = false;
}

void cg_out_text(struct cg_out *out, const char *key, const char *text) {
    lead(out, key);
    if (text == NULL) {
        cg_buf_put_str(out->buf, "null");
    } else {
        cg_buf_put_json(out->buf, cg_slice_str(text));
    }
}

void cg_out_integer(struct cg_out *out, const char *key, uint64_t number) {
    lead(out, key);
    cg_buf_put_decimal(out->buf, number);
}

void cg_out_bool(struct cg_out *out, const char *key, bool value) {
    lead(out, key);
    cg_buf_put_str(out->buf, value ? "true" : "false");
}

void cg_shortest_decimal(char text[32], double number) {
    for (int decimals = 0; decimals <= 17; decimals++) {
        snprintf(text, 32, "%.*f", decimals, number);
        if (strtod(text, NULL) == number) return;
    }
    snprintf(text, 32, "%.17g", number);
}

void cg_out_number(struct cg_out *out, const char *key, double number) {
    char text[32];
    cg_shortest_decimal(text, number);
    lead(out, key);
    cg_buf_put_str(out->buf, text);
}

void cg_out_quoted(struct cg_out *out, const char *key, const char *json) {
    lead(out, key);
    for (; *json != '\0'; json++) cg_buf_put_u8(out->buf, *json == '\'' ? '"' : (uint8_t)*json);
}

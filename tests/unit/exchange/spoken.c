/* The hard thing: where options end and payload begins. A word with a known option's name and a colon is an option; the
 * first other word begins the payload. */
#include "exchange/spoken.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum kind { TEXT, HEX, UINT, BLOCK };

static const struct name {
    const char *name;
    uint16_t number;
    enum kind kind;
} names[] = {
    {"if-match", CG_OPT_IF_MATCH, TEXT}, {"timeout", SPOKEN_TIMEOUT, UINT}, {"etag", CG_OPT_ETAG, TEXT},
    {"observe", CG_OPT_OBSERVE, UINT},   {"oscore", CG_OPT_OSCORE, HEX},    {"format", CG_OPT_CONTENT_FORMAT, UINT},
    {"max-age", CG_OPT_MAX_AGE, UINT},   {"accept", CG_OPT_ACCEPT, UINT},   {"2", CG_OPT_BLOCK2, BLOCK},
    {"1", CG_OPT_BLOCK1, BLOCK},         {"echo", CG_OPT_ECHO, TEXT},       {"no-response", CG_OPT_NO_RESPONSE, UINT},
    {"keys", SPOKEN_KEYS, UINT},         {"size1", CG_OPT_SIZE1, UINT},
};

static const char *const types[] = {[CG_CON] = "CON", [CG_NON] = "NON", [CG_ACK] = "ACK", [CG_RST] = "RST"};

/* Reading */

static struct cg_slice first_word(const char *text) { return cg_slice_of(text, strcspn(text, " ")); }

static const char *behind(const char *text) {
    text += strcspn(text, " ");
    return text + strspn(text, " ");
}

static const char *read_type(struct spoken *spoken, const char *text) {
    for (unsigned type = 0; type < sizeof types / sizeof *types; type++) {
        if (!cg_slice_is(first_word(text), types[type])) continue;
        spoken->has_type = true;
        spoken->type = type;
        return behind(text);
    }
    return text;
}

static const char *read_code(struct spoken *spoken, const char *text) {
    unsigned class, detail;
    char method[16];
    if (*text == '\0') return text; /* an empty message */
    if (sscanf(text, "%1u.%2u", &class, &detail) == 2) {
        spoken->code = (uint8_t)CG_CODE(class, detail);
    } else if (sscanf(text, "%15s", method) == 1) {
        spoken->code = (uint8_t)cg_method_code(method);
    }
    if (spoken->code == CG_EMPTY) fail_msg("neither method nor code: %s", text);
    return behind(text);
}

static const char *read_path(struct spoken *spoken, const char *text) {
    if (*text != '/' && strncmp(text, "coap://", 7) != 0) return text;
    struct cg_slice word = first_word(text);
    const char *mark = memchr(text, '?', word.len);
    spoken->path = cg_slice_of(text, mark == NULL ? word.len : (size_t)(mark - text));
    if (mark != NULL) spoken->query = cg_slice_of(mark + 1, word.len - spoken->path.len - 1);
    return behind(text);
}

static struct cg_slice put_uint(uint8_t *to, uint32_t value) {
    size_t len = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (value >> shift != 0) to[len++] = (uint8_t)(value >> shift);
    }
    return cg_slice_of(to, len);
}

static struct cg_slice put_hex(uint8_t *to, const char *text, size_t len) {
    for (size_t i = 0; i + 1 < len; i += 2) assert_int_equal(sscanf(text + i, "%2hhx", &to[i / 2]), 1);
    return cg_slice_of(to, len / 2);
}

static struct cg_slice put_block(uint8_t *to, const char *text) {
    unsigned number, more, size, szx = 0;
    assert_int_equal(sscanf(text, "%u/%u/%u", &number, &more, &size), 3);
    while (16u << szx < size) szx++;
    return put_uint(to, number << 4 | more << 3 | szx);
}

static struct cg_slice put_value(uint8_t *to, enum kind kind, const char *text, size_t len) {
    switch (kind) {
    case UINT: return put_uint(to, (uint32_t)strtoul(text, NULL, 10));
    case BLOCK: return put_block(to, text);
    case HEX: assert_true(len <= 32); return put_hex(to, text, len);
    case TEXT: break;
    }
    assert_true(len <= 16);
    memcpy(to, text, len);
    return cg_slice_of(to, len);
}

/* Options without a name are called by their number, and are in hexadecimal. */
static const struct name *unnamed(const char *word) {
    static struct name name = {.kind = HEX};
    static char text[8];
    char *end;
    unsigned long number = strtoul(word, &end, 10);
    if (end == word || *end != ':' || number > UINT16_MAX) return NULL;
    snprintf(text, sizeof text, "%lu", number);
    name.name = text;
    name.number = (uint16_t)number;
    return &name;
}

static const struct name *name_of(struct cg_slice word) {
    const char *colon = memchr(word.data, ':', word.len);
    for (size_t i = 0; colon != NULL && i < sizeof names / sizeof *names; i++) {
        if (cg_slice_is(cg_slice_of(word.data, (size_t)(colon - (const char *)word.data)), names[i].name))
            return &names[i];
    }
    return unnamed((const char *)word.data);
}

static void insert(struct spoken *spoken, struct cg_opt opt) {
    size_t at = spoken->options.count++;
    for (; at > 0 && spoken->list[at - 1].number > opt.number; at--) spoken->list[at] = spoken->list[at - 1];
    spoken->list[at] = opt;
}

static const char *read_options(struct spoken *spoken, const char *text) {
    for (const struct name *name; *text != '\0' && (name = name_of(first_word(text))) != NULL; text = behind(text)) {
        const char *value = text + strlen(name->name) + 1;
        assert_true(spoken->options.count < SPOKEN_OPTIONS_MAX);
        uint8_t *to = spoken->values[spoken->options.count];
        insert(spoken,
               (struct cg_opt){.number = name->number, .value = put_value(to, name->kind, value, strcspn(value, " "))});
    }
    return text;
}

void spoken_read(struct spoken *spoken, const char *text) {
    *spoken = (struct spoken){0};
    spoken->options.list = spoken->list;
    text = read_type(spoken, text);
    text = read_code(spoken, text);
    text = read_path(spoken, text);
    text = read_options(spoken, text);
    spoken->payload = cg_slice_str(text);
}

/* Writing */

static void write_value(struct cg_buf *to, enum kind kind, struct cg_slice value) {
    uint32_t number = kind == UINT || kind == BLOCK ? cg_uint_parse(value) : 0;
    switch (kind) {
    case UINT: cg_buf_put_decimal(to, number); break;
    case BLOCK: cg_buf_printf(to, "%u/%u/%u", number >> 4, number >> 3 & 1, 16u << (number & 7)); break;
    case HEX: cg_buf_put_hex(to, value); break;
    case TEXT: cg_buf_put_slice(to, value); break;
    }
}

static void write_option(struct cg_buf *to, const struct cg_opt *opt) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].number != opt->number) continue;
        cg_buf_printf(to, " %s:", names[i].name);
        write_value(to, names[i].kind, opt->value);
        return;
    }
    if (opt->number == CG_OPT_REQUEST_TAG) { /* drawn by lot */
        cg_buf_put_str(to, " tag");
        return;
    }
    cg_buf_printf(to, " %u:", opt->number);
    cg_buf_put_hex(to, opt->value);
}

static void write_parts(struct cg_buf *to, const struct cg_msg *msg, uint16_t number, const char *first,
                        const char *next) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, msg);
    for (const char *mark = first; cg_opt_next(&iter, &opt);) {
        if (opt.number != number) continue;
        cg_buf_put_str(to, mark);
        cg_buf_put_slice(to, opt.value);
        mark = next;
    }
}

static void write_options(struct cg_buf *to, const struct cg_msg *msg) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number != CG_OPT_URI_PATH && opt.number != CG_OPT_URI_QUERY) write_option(to, &opt);
    }
}

static void write_code(struct cg_buf *to, uint8_t code) {
    char text[5];
    cg_code_text(code, text);
    cg_buf_printf(to, " %s", cg_code_is_request(code) ? cg_method_name(code) : text);
}

void spoken_write(struct cg_buf *to, const struct cg_msg *msg) {
    cg_buf_put_str(to, types[msg->type]);
    if (msg->code == CG_EMPTY) return;
    write_code(to, msg->code);
    write_parts(to, msg, CG_OPT_URI_PATH, " /", "/");
    write_parts(to, msg, CG_OPT_URI_QUERY, "?", "&");
    write_options(to, msg);
    if (msg->payload.len > 0) cg_buf_put_str(to, " ");
    cg_buf_put_slice(to, msg->payload);
}

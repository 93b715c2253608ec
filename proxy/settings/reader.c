/* Values of the common kinds. The hard thing: saying exactly where a mistake is and what would be right, for whatever
 * value stands there. */
#include "settings/reader.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

enum { POINTER_MAX = 512, MESSAGE_MAX = 512, HOST_MAX = 253 };

void cg_mistakes_init(struct cg_mistakes *mistakes) {
    *mistakes = (struct cg_mistakes){0};
    cg_arena_init(&mistakes->arena, SIZE_MAX, NULL);
}

void cg_mistakes_fini(struct cg_mistakes *mistakes) {
    cg_arena_fini(&mistakes->arena);
    mistakes->first = mistakes->last = NULL;
    mistakes->count = mistakes->listed = 0;
}

bool cg_mistakes_are_full(const struct cg_mistakes *mistakes) { return mistakes->listed == CG_MISTAKES_LISTED; }

static const char *printable_copy(struct cg_arena *arena, const char *text) {
    size_t len = strlen(text);
    char *copy = cg_arena_alloc(arena, len + 1);
    if (copy == NULL) return "";
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        copy[i] = text[i];
        if (c < 0x20 || c == 0x7f) copy[i] = '?';
    }
    copy[len] = '\0';
    return copy;
}

/* NULL: it is only counted. */
static struct cg_mistake *CG_PRINTF(4, 0) add_mistake(struct cg_mistakes *mistakes, const char *pointer,
                                                      const char *about, const char *format, va_list arguments) {
    char message[MESSAGE_MAX];
    mistakes->count++;
    if (cg_mistakes_are_full(mistakes)) return NULL;
    struct cg_mistake *mistake = cg_arena_alloc(&mistakes->arena, sizeof *mistake);
    if (mistake == NULL) return NULL;
    vsnprintf(message, sizeof message, format, arguments);
    *mistake = (struct cg_mistake){
        .pointer = printable_copy(&mistakes->arena, pointer),
        .message = printable_copy(&mistakes->arena, message),
        .about = about == NULL ? NULL : printable_copy(&mistakes->arena, about),
    };
    if (mistakes->last == NULL) {
        mistakes->first = mistake;
    } else {
        mistakes->last->next = mistake;
    }
    mistakes->last = mistake;
    mistakes->listed++;
    return mistake;
}

void cg_mistakes_add(struct cg_mistakes *mistakes, const char *pointer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add_mistake(mistakes, pointer, NULL, format, arguments);
    va_end(arguments);
}

void cg_warnings_add(struct cg_mistakes *warnings, const char *code, const char *pointer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct cg_mistake *warning = add_mistake(warnings, pointer, NULL, format, arguments);
    if (warning != NULL) warning->code = code;
    va_end(arguments);
}

static void put_escaped(struct cg_buf *to, const char *key) { /* RFC 6901 §3 */
    for (; *key != '\0'; key++) {
        if (*key == '~') {
            cg_buf_put_str(to, "~0");
        } else if (*key == '/') {
            cg_buf_put_str(to, "~1");
        } else {
            cg_buf_put_u8(to, (uint8_t)*key);
        }
    }
}

static void put_pointer(struct cg_buf *to, const struct cg_at *at) {
    if (at->up == NULL) return;
    put_pointer(to, at->up);
    cg_buf_put_u8(to, '/');
    if (at->key != NULL) {
        put_escaped(to, at->key);
    } else {
        cg_buf_put_decimal(to, at->index);
    }
}

const char *cg_pointer_text(struct cg_reader *reader, const struct cg_at *at) {
    struct cg_buf buf;
    cg_buf_init(&buf, POINTER_MAX);
    put_pointer(&buf, at);
    char *text = cg_arena_zalloc(&reader->scratch, buf.len + 1);
    if (text == NULL) reader->out_of_memory = true;
    if (text != NULL && buf.len > 0) memcpy(text, buf.data, buf.len);
    cg_buf_fini(&buf);
    return text == NULL ? "" : text;
}

void cg_mistake_at(struct cg_reader *reader, const struct cg_at *at, const char *format, ...) {
    va_list arguments;
    bool is_listed = !cg_mistakes_are_full(reader->mistakes); /* else the pointer is not worth its memory */
    va_start(arguments, format);
    add_mistake(reader->mistakes, is_listed ? cg_pointer_text(reader, at) : "", NULL, format, arguments);
    va_end(arguments);
}

static void CG_PRINTF(4, 0) add_about(struct cg_reader *reader, const struct cg_at *at, const struct cg_at *about,
                                      const char *format, va_list arguments) {
    bool is_listed = !cg_mistakes_are_full(reader->mistakes);
    add_mistake(reader->mistakes, is_listed ? cg_pointer_text(reader, at) : "",
                is_listed ? cg_pointer_text(reader, about) : NULL, format, arguments);
}

void cg_mistake_about(struct cg_reader *reader, const struct cg_at *at, const struct cg_at *about, const char *format,
                      ...) {
    va_list arguments;
    va_start(arguments, format);
    add_about(reader, at, about, format, arguments);
    va_end(arguments);
}

void cg_mistake_missing(struct cg_reader *reader, const struct cg_at *at, const char *key, const char *format, ...) {
    va_list arguments;
    struct cg_at about = {.up = at, .key = key};
    if (cg_is_mistaken_itself(reader, at, key)) return;
    va_start(arguments, format);
    add_about(reader, at, &about, format, arguments);
    va_end(arguments);
}

enum reach { ITSELF, OR_BELOW };

static bool is_at(const char *pointer, const char *place, enum reach reach) {
    size_t len = strlen(place);
    if (pointer == NULL || strncmp(pointer, place, len) != 0) return false;
    return pointer[len] == '\0' || (reach == OR_BELOW && pointer[len] == '/');
}

static bool list_has(const struct cg_mistakes *mistakes, const char *place, enum reach reach) {
    for (const struct cg_mistake *it = mistakes->first; it != NULL; it = it->next) {
        if (is_at(it->pointer, place, reach) || is_at(it->about, place, ITSELF)) return true;
    }
    return false;
}

/* Costs nothing as long as all is well, and is bounded by how many mistakes are listed. */
static bool has_mistake(struct cg_reader *reader, const struct cg_at *at, const char *key, enum reach reach) {
    if (reader->mistakes->first == NULL) return false;
    const struct cg_at child = {.up = at, .key = key};
    struct cg_buf place;
    cg_buf_init(&place, POINTER_MAX);
    put_pointer(&place, &child);
    cg_buf_put_u8(&place, 0);
    bool found = !place.failed && list_has(reader->mistakes, (const char *)place.data, reach);
    cg_buf_fini(&place);
    return found;
}

bool cg_is_mistaken(struct cg_reader *reader, const struct cg_at *at, const char *key) {
    return has_mistake(reader, at, key, OR_BELOW);
}

bool cg_is_mistaken_itself(struct cg_reader *reader, const struct cg_at *at, const char *key) {
    return has_mistake(reader, at, key, ITSELF);
}

const json_t *cg_read_member(const struct cg_at *up, const json_t *object, const char *key, struct cg_at *at) {
    *at = (struct cg_at){.up = up, .key = key};
    return json_object_get(object, key);
}

bool cg_read_is_array(struct cg_reader *reader, const struct cg_at *at, const json_t *json, size_t max) {
    if (!json_is_array(json)) {
        cg_mistake_at(reader, at, "must be an array");
        return false;
    }
    if (json_array_size(json) <= max) return true;
    cg_mistake_at(reader, at, "has more than %zu items", max);
    return false;
}

const char *cg_read_text(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    if (json_is_string(json)) return json_string_value(json);
    cg_mistake_at(reader, at, "must be a string");
    return NULL;
}

static bool is_host_name(struct cg_slice text) {
    if (text.len == 0 || text.len > HOST_MAX || text.data[0] == '.' || text.data[0] == '-') return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = cg_ascii_lower((char)text.data[i]);
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                    (c == '.' && text.data[i - 1] != '.');
        if (!good) return false;
    }
    return true;
}

/* Appends the host as it is compared later: "[2001:DB8::1]" becomes "[2001:db8::1]". False when it is none. */
static bool put_host(struct cg_buf *to, struct cg_slice text) {
    struct cg_addr addr;
    char ip[CG_ADDR_TEXT_MAX];
    if (is_host_name(text)) {
        for (size_t i = 0; i < text.len; i++) cg_buf_put_u8(to, (uint8_t)cg_ascii_lower((char)text.data[i]));
        return true;
    }
    if (text.len < 2 || text.data[0] != '[' || text.data[text.len - 1] != ']') return false;
    if (cg_addr_parse_ip(&addr, cg_slice_of(text.data + 1, text.len - 2)) < 0) return false;
    cg_addr_emit_ip(&addr, ip);
    cg_buf_printf(to, "[%s]", ip);
    return addr.family == CG_FAMILY_IPV6;
}

/* Appends ":PORT", or nothing to an empty text. */
static bool put_port(struct cg_buf *to, const char *text) {
    uint64_t port;
    if (*text == '\0') return true;
    if (*text != ':' || cg_decimal_parse(cg_slice_str(text + 1), UINT16_MAX, &port) < 0 || port == 0) return false;
    cg_buf_put_u8(to, ':');
    cg_buf_put_decimal(to, port);
    return true;
}

bool cg_put_host(struct cg_buf *to, const char *text) {
    size_t len = *text == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");
    if (len > strlen(text)) len = strlen(text);
    return put_host(to, cg_slice_of(text, len)) && put_port(to, text + len);
}

const char *cg_read_host(struct cg_reader *reader, const struct cg_at *at, const json_t *json, bool may_have_port) {
    const char *text = cg_read_text(reader, at, json), *kept = NULL;
    struct cg_buf host;
    if (text == NULL) return NULL;
    cg_buf_init(&host, 0);
    if (!(may_have_port ? cg_put_host(&host, text) : put_host(&host, cg_slice_str(text)))) {
        cg_mistake_at(reader, at, "must be a host name or address, such as \"gw.example\" or \"[2001:db8::1]\"%s",
                      may_have_port ? ", with or without port" : ", without port");
    } else {
        if (host.failed) reader->out_of_memory = true;
        kept = cg_keep_text(reader, cg_buf_slice(&host));
    }
    cg_buf_fini(&host);
    return kept;
}

bool cg_name_is_valid(const char *name) {
    size_t len = strlen(name);
    if (len == 0 || len > CG_NAME_MAX) return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool mark = c == '.' || c == '_' || c == '-';
        if (!letter && (i == 0 || !mark)) return false;
    }
    return true;
}

const char *cg_keep_text(struct cg_reader *reader, struct cg_slice text) {
    char *copy = cg_arena_alloc(&reader->config->arena, text.len + 1);
    if (copy == NULL) {
        reader->out_of_memory = true;
        return NULL;
    }
    if (text.len > 0) memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

void *cg_keep_array(struct cg_reader *reader, size_t count, size_t size) {
    void *array = cg_arena_zalloc(&reader->config->arena, count * size);
    if (array == NULL) reader->out_of_memory = true;
    return array;
}

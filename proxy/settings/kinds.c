/* The common types of values: how each is read, printed and described. The hard thing: what is printed must be read
 * back as the same value, so both directions of a type stand together. */
#include "settings/rows.h"

#include <stdio.h>

/* The field that a row names. */
static void *field_of(const struct cg_row *row, void *target) { return (char *)target + row->offset; }
static const void *peek(const struct cg_row *row, const void *target) { return (const char *)target + row->offset; }

static const char *text_of(const struct cg_row *row, const void *target) {
    return *(const char *const *)peek(row, target);
}

/* Numbers */

static void store_integer(void *field, size_t size, uint64_t value) {
    switch (size) {
    case 1: *(uint8_t *)field = (uint8_t)value; break;
    case 2: *(uint16_t *)field = (uint16_t)value; break;
    case 4: *(uint32_t *)field = (uint32_t)value; break;
    default: *(uint64_t *)field = value; break;
    }
}

static uint64_t load_integer(const void *field, size_t size) {
    switch (size) {
    case 1: return *(const uint8_t *)field;
    case 2: return *(const uint16_t *)field;
    case 4: return *(const uint32_t *)field;
    default: return *(const uint64_t *)field;
    }
}

static void read_integer(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                         void *target) {
    json_int_t value = json_integer_value(json);
    if (!json_is_integer(json) || value < 0 || (uint64_t)value < row->min || (uint64_t)value > row->max) {
        cg_mistake_at(reader, at, "must be a whole number from %llu to %llu", (unsigned long long)row->min,
                      (unsigned long long)row->max);
        return;
    }
    store_integer(field_of(row, target), row->size, (uint64_t)value);
}

static void print_integer(struct cg_out *out, const struct cg_row *row, const void *target) {
    cg_out_integer(out, row->key, load_integer(peek(row, target), row->size));
}

const struct cg_kind cg_kind_integer = {
    .read = read_integer, .print = print_integer, .json = "'type': 'integer'", .min = "minimum", .max = "maximum"};

static void read_seconds(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                         void *target) {
    double seconds = json_number_value(json); /* 0 when it is none */
    uint64_t *us = field_of(row, target);
    *us = seconds > 0 && seconds <= (double)row->max ? (uint64_t)(seconds * 1e6 + 0.5) : 0;
    if (*us > 0) return;
    cg_mistake_at(reader, at, "must be a number of seconds, above 0 and at most %llu", (unsigned long long)row->max);
}

static void print_seconds(struct cg_out *out, const struct cg_row *row, const void *target) {
    uint64_t us = *(const uint64_t *)peek(row, target);
    if (us > 0) cg_out_number(out, row->key, (double)us / 1e6);
}

const struct cg_kind cg_kind_late_seconds = {
    .read = read_seconds,
    .late = true,
    .print = print_seconds,
    .json = "'type': 'number'",
    .min = "exclusiveMinimum",
    .max = "maximum",
};

static void read_brief_seconds(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                               const json_t *json, void *target) {
    double ms = json_number_value(json) * 1e3; /* 0 when it is none */
    if (ms >= (double)row->min && ms <= (double)row->max) {
        *(uint64_t *)field_of(row, target) = (uint64_t)(ms * 1e3 + 0.5);
    } else {
        cg_mistake_at(reader, at, "must be a number of seconds from %g to %g", (double)row->min / 1e3,
                      (double)row->max / 1e3);
    }
}

const struct cg_kind cg_kind_brief_seconds = {.read = read_brief_seconds, .print = print_seconds};

static void read_bool(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                      void *target) {
    if (json_is_boolean(json)) {
        *(bool *)field_of(row, target) = json_is_true(json);
    } else {
        cg_mistake_at(reader, at, "must be true or false");
    }
}

static void print_bool(struct cg_out *out, const struct cg_row *row, const void *target) {
    cg_out_bool(out, row->key, *(const bool *)peek(row, target));
}

const struct cg_kind cg_kind_bool = {.read = read_bool, .print = print_bool, .json = "'type': 'boolean'"};

/* Texts */

void cg_print_text(struct cg_out *out, const struct cg_row *row, const void *target) {
    cg_out_text(out, row->key, text_of(row, target));
}

static void print_text_or_nothing(struct cg_out *out, const struct cg_row *row, const void *target) {
    if (text_of(row, target) != NULL) cg_print_text(out, row, target);
}

/* What is no name because of a colon is most often the label of an address. */
static void refuse_interface(struct cg_reader *reader, const struct cg_at *at, const char *text, size_t good) {
    if (good > 0 && text[good] == ':') {
        cg_mistake_at(reader, at, "is an address's label; the interface is \"%.*s\", and all its addresses count",
                      (int)good, text);
    } else {
        cg_mistake_at(reader, at,
                      "must be an interface's name or alternative name, such as \"eth0\" (at most %d characters), or "
                      "null",
                      CG_INTERFACE_MAX);
    }
}

static void read_interface(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                           const json_t *json, void *target) {
    if (json_is_null(json)) return;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    size_t len = strlen(text), good = 0;
    while (text[good] > ' ' && text[good] < 0x7f && text[good] != '/' && text[good] != ':') good++;
    if (len == 0 || len > CG_INTERFACE_MAX || good < len) {
        refuse_interface(reader, at, text, len <= CG_INTERFACE_MAX ? good : 0);
    } else {
        *(const char **)field_of(row, target) = cg_keep_text(reader, cg_slice_str(text));
    }
}

const struct cg_kind cg_kind_interface = {
    .read = read_interface,
    .print = cg_print_text,
    .json = "'type': ['string', 'null'], 'minLength': 1, 'maxLength': 127",
};

const struct cg_kind cg_kind_unprinted_interface = {
    .read = read_interface, .json = "'type': ['string', 'null'], 'minLength': 1, 'maxLength': 127"};

static void read_interface_item(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                                const json_t *json, void *target) {
    if (json_is_null(json)) {
        cg_mistake_at(reader, at, "must be an interface's name");
    } else {
        read_interface(reader, at, row, json, target);
    }
}

const struct cg_kind cg_kind_interface_item = {
    .read = read_interface_item,
    .print = cg_print_text,
    .json = "'type': 'string', 'minLength': 1, 'maxLength': 127",
};

static void read_file(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                      void *target) {
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    if (*text == '\0') {
        cg_mistake_at(reader, at, "must be a file name");
        return;
    }
    struct cg_buf name;
    cg_buf_init(&name, 0);
    if (*text != '/') cg_buf_printf(&name, "%s%s", reader->folder, strcmp(reader->folder, "/") == 0 ? "" : "/");
    cg_buf_put_str(&name, text);
    if (name.failed) reader->out_of_memory = true;
    *(const char **)field_of(row, target) = cg_keep_text(reader, cg_buf_slice(&name));
    cg_buf_fini(&name);
}

const struct cg_kind cg_kind_file = {
    .read = read_file, .print = print_text_or_nothing, .json = "'type': 'string', 'minLength': 1"};

static void read_file_or_null(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                              const json_t *json, void *target) {
    if (!json_is_null(json)) read_file(reader, at, row, json, target);
}

const struct cg_kind cg_kind_file_or_null = {
    .read = read_file_or_null, .print = cg_print_text, .json = "'type': ['string', 'null'], 'minLength': 1"};

static void read_host(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                      void *target) {
    *(const char **)field_of(row, target) = cg_read_host(reader, at, json, true);
}

const struct cg_kind cg_kind_host = {.read = read_host, .print = cg_print_text, .json = "'type': 'string'"};

static void print_address(struct cg_out *out, const struct cg_row *row, const void *target) {
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(peek(row, target), text);
    cg_out_text(out, row->key, text);
}

const struct cg_kind cg_kind_address = {.print = print_address, .json = "'type': 'string'"};

static void print_methods(struct cg_out *out, const struct cg_row *row, const void *target) {
    uint32_t methods = *(const uint32_t *)peek(row, target);
    char json[96] = "[";
    for (unsigned code = CG_GET; code <= CG_IPATCH; code++) {
        if ((methods & CG_METHOD_BIT(code)) == 0) continue;
        size_t len = strlen(json);
        snprintf(json + len, sizeof json - len, "%s'%s'", len > 1 ? ", " : "", cg_method_name(code));
    }
    strcat(json, "]");
    cg_out_quoted(out, row->key, json);
}

const struct cg_kind cg_kind_methods = {
    .print = print_methods,
    .json = "'type': 'array', 'minItems': 1, 'items': {'enum': ['GET', 'POST', 'PUT', 'DELETE', 'FETCH', 'PATCH', "
            "'iPATCH']}",
};

/* Objects and what has items */

static void read_section(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                         void *target) {
    cg_read_object(reader, at, row->of, json, field_of(row, target));
}

void cg_print_object(struct cg_out *out, const struct cg_row *row, const void *target) {
    cg_out_open(out, row->key, '{');
    cg_print_rows(out, row->of, peek(row, target));
    cg_out_close(out, '}');
}

#define OBJECT .shape = CG_SHAPE_OBJECT, .print = cg_print_object, .json = "'type': 'object'"
const struct cg_kind cg_kind_object = {.read = read_section, OBJECT};
const struct cg_kind cg_kind_own_object = {OBJECT};

/* Where the items are and how many; both lie in the struct that holds the list. */
static char *items_of(const struct cg_row *row, const void *target, size_t *count) {
    char *items;
    memcpy(&items, peek(row, target), sizeof items); /* a pointer to whatever items they are */
    memcpy(count, (const char *)target + row->items->count, sizeof *count);
    return items;
}

static struct cg_row item_row(const struct cg_row *row, const char *key) {
    return (struct cg_row){.key = key, .kind = row->items->kind, .of = row->of};
}

static void read_list(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                      void *target) {
    if (!cg_read_is_array(reader, at, json, row->max)) return;
    size_t count = json_array_size(json), size = row->items->size;
    char *items = cg_keep_array(reader, count, size);
    if (items == NULL) return;
    const struct cg_row item = item_row(row, NULL);
    for (size_t i = 0; i < count; i++) {
        struct cg_at child = {.up = at, .index = i};
        item.kind->read(reader, &child, &item, json_array_get(json, i), items + i * size);
    }
    memcpy(field_of(row, target), &items, sizeof items);
    memcpy((char *)target + row->items->count, &count, sizeof count);
}

void cg_print_list(struct cg_out *out, const struct cg_row *row, const void *target) {
    size_t count;
    const char *items = items_of(row, target, &count);
    const struct cg_row item = item_row(row, NULL);
    cg_out_open(out, row->key, '[');
    for (size_t i = 0; i < count; i++) item.kind->print(out, &item, items + i * row->items->size);
    cg_out_close(out, ']');
}

#define LIST .shape = CG_SHAPE_LIST, .print = cg_print_list, .json = "'type': 'array'", .max = "maxItems"
const struct cg_kind cg_kind_list = {.read = read_list, LIST};
const struct cg_kind cg_kind_own_list = {LIST};

static void print_map(struct cg_out *out, const struct cg_row *row, const void *target) {
    size_t count;
    const char *items = items_of(row, target, &count);
    cg_out_open(out, row->key, '{');
    for (size_t i = 0; i < count; i++) {
        const char *at = items + i * row->items->size;
        const struct cg_row item = item_row(row, *(const char *const *)(const void *)(at + row->items->name));
        item.kind->print(out, &item, at);
    }
    cg_out_close(out, '}');
}

const struct cg_kind cg_kind_own_map = {
    .shape = CG_SHAPE_MAP, .print = print_map, .json = "'type': 'object'", .max = "maxProperties"};

/* What is read elsewhere, or not at all */

const struct cg_kind cg_kind_own = {0};
const struct cg_kind cg_kind_own_text = {.print = cg_print_text, .json = "'type': 'string'"};
const struct cg_kind cg_kind_own_uri = {.print = print_text_or_nothing, .json = "'type': 'string'"};
const struct cg_kind cg_kind_own_file = {.print = print_text_or_nothing, .json = "'type': 'string'"};
const struct cg_kind cg_kind_own_name = {.print = print_text_or_nothing, .json = "'type': 'string'"};
const struct cg_kind cg_kind_next_file = {.print = print_text_or_nothing, .json = "'type': ['string', 'null']"};

static void read_later(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                       void *target) {
    (void)row, (void)json, (void)target;
    cg_mistake_at(reader, at, "is not part of this version");
}

const struct cg_kind cg_kind_later = {.read = read_later};

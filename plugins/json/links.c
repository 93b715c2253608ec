/* A list of links as JSON. The hard thing: attributes repeat as their sender likes, and names in a JSON object may not,
 * so each is written where it is met first, with all of its values; what that costs is bounded for each link. */
#include "json/links.h"

#include "base/text.h"
#include "json/json_write.h"
#include "lend.h"
#include "wire/link_format.h"

enum {
    LINKS_MAX = 1000,       /* shown of one list */
    ATTRIBUTES_MAX = 32,    /* of a link that is shown */
    NUMBER_DIGITS_MAX = 15, /* what every reader of JSON holds exactly */
};

/* Attributes whose values have a form of their own (RFC 6690 §3, RFC 7252 §7.2.1): a list of words, or numbers. */
struct form {
    const char *name;
    bool is_list, has_numbers;
};
static const struct form forms[] = {{"rt", true, false},  {"if", true, false}, {"rel", true, false},
                                    {"rev", true, false}, {"ct", true, true},  {"sz", false, true}};
static const struct form text_form = {0};

struct attributes {
    struct cg_link_attribute list[ATTRIBUTES_MAX];
    size_t count;
};

/* Reading */

static bool is_well_formed(struct cg_slice payload) {
    struct cg_link_reader reader;
    struct cg_link link;
    cg_link_reader_init(&reader, payload);
    while (cg_link_next(&reader, &link)) continue;
    return reader.err == CG_OK;
}

/* False: there are too many. */
static bool gather(struct cg_slice left, struct attributes *attributes) {
    struct cg_link_attribute attribute;
    attributes->count = 0;
    while (cg_link_next_attribute(&left, &attribute)) {
        if (attributes->count == ATTRIBUTES_MAX) return false;
        attributes->list[attributes->count++] = attribute;
    }
    return true;
}

static const struct form *form_of(struct cg_slice name) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (cg_slice_is(name, forms[i].name)) return &forms[i];
    }
    return &text_form;
}

/* Which of them has the name first. */
static size_t first_of(const struct attributes *attributes, struct cg_slice name) {
    size_t i = 0;
    while (!cg_slice_equal(attributes->list[i].name, name)) i++;
    return i;
}

static bool is_repeated(const struct attributes *attributes, size_t first) {
    for (size_t i = first + 1; i < attributes->count; i++) {
        if (cg_slice_equal(attributes->list[i].name, attributes->list[first].name)) return true;
    }
    return false;
}

/* Writing */

static void put_comma(struct cg_buf *to) {
    if (to->len > 0 && to->data[to->len - 1] != '[') cg_buf_put_u8(to, ',');
}

static bool is_number(struct cg_slice text) {
    uint64_t number;
    bool is_plain = text.len == 1 || (text.len > 0 && text.data[0] != '0');
    return is_plain && text.len <= NUMBER_DIGITS_MAX && cg_decimal_parse(text, UINT64_MAX, &number) == CG_OK;
}

static void put_scalar(struct cg_buf *to, const struct form *form, struct cg_slice text) {
    if (form->has_numbers && is_number(text)) {
        cg_buf_put_slice(to, text);
    } else {
        cg_buf_put_json(to, text);
    }
}

static void put_words(struct cg_buf *to, const struct form *form, struct cg_slice text) {
    for (size_t at = 0, end; at < text.len; at = end + 1) {
        for (end = at; end < text.len && text.data[end] != ' ';) end++;
        if (end == at) continue;
        put_comma(to);
        put_scalar(to, form, cg_slice_of(text.data + at, end - at));
    }
}

static void put_unquoted(struct cg_buf *to, const struct form *form, struct cg_slice text) {
    if (form->is_list) {
        put_words(to, form, text);
    } else {
        put_scalar(to, form, text);
    }
}

/* Few have anything to unescape. */
static void put_escaped(struct cg_buf *to, const struct form *form, const struct cg_link_attribute *attribute) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    char *room = (char *)cg_buf_reserve(&text, attribute->value.len);
    if (room != NULL) text.len = cg_link_unquote(attribute, room, attribute->value.len);
    put_unquoted(to, form, cg_buf_slice(&text));
    to->failed |= text.failed;
    cg_buf_fini(&text);
}

static void put_text(struct cg_buf *to, const struct form *form, const struct cg_link_attribute *attribute) {
    if (memchr(attribute->value.data, '\\', attribute->value.len) != NULL) {
        put_escaped(to, form, attribute);
    } else {
        put_unquoted(to, form, attribute->value);
    }
}

/* A list without a value has no words; anything else without one is true. */
static void put_value(struct cg_buf *to, const struct form *form, const struct cg_link_attribute *attribute) {
    if (attribute->has_value && attribute->value.len > 0) {
        put_text(to, form, attribute);
    } else if (!form->is_list) {
        cg_buf_put_str(to, attribute->has_value ? "\"\"" : "true");
    }
}

/* All that have its name, as an array where it is a list or they are several. */
static void put_values(struct cg_buf *to, const struct attributes *attributes, size_t first) {
    const struct cg_slice name = attributes->list[first].name;
    const struct form *form = form_of(name);
    bool is_array = form->is_list || is_repeated(attributes, first);
    if (is_array) cg_buf_put_u8(to, '[');
    for (size_t i = first; i < attributes->count; i++) {
        if (!cg_slice_equal(attributes->list[i].name, name)) continue;
        if (is_array && !form->is_list) put_comma(to);
        put_value(to, form, &attributes->list[i]);
    }
    if (is_array) cg_buf_put_u8(to, ']');
}

static void put_attributes(struct cg_buf *to, const struct attributes *attributes) {
    for (size_t i = 0; i < attributes->count; i++) {
        const struct cg_slice name = attributes->list[i].name;
        if (first_of(attributes, name) != i || cg_slice_is(name, "target")) continue;
        cg_buf_put_str(to, to->len > 0 && to->data[to->len - 1] == '{' ? "\"" : ",\"");
        cg_buf_put_slice(to, name); /* has nothing that JSON escapes */
        cg_buf_put_str(to, "\":");
        put_values(to, attributes, i);
    }
}

static void put_link(struct cg_buf *to, struct cg_slice target, const struct attributes *attributes) {
    put_comma(to);
    cg_buf_put_u8(to, '{');
    cg_json_put_text(to, "target", cg_lend(target));
    put_attributes(to, attributes);
    cg_buf_put_u8(to, '}');
}

static void put_list(struct cg_buf *to, struct cg_slice payload, size_t *left_out) {
    struct cg_link_reader reader;
    struct cg_link link;
    struct attributes attributes;
    size_t shown = 0;
    *left_out = 0;
    cg_link_reader_init(&reader, payload);
    while (cg_link_next(&reader, &link)) {
        if (shown < LINKS_MAX && gather(link.attributes, &attributes)) {
            put_link(to, link.target, &attributes);
            shown++;
        } else {
            ++*left_out;
        }
    }
}

void cg_json_put_links(struct cg_buf *to, struct cg_slice payload) {
    size_t left_out;
    if (!is_well_formed(payload)) return;
    cg_json_put_key(to, "links");
    cg_buf_put_u8(to, '[');
    put_list(to, payload, &left_out);
    cg_buf_put_u8(to, ']');
    if (left_out == 0) return;
    cg_json_put_key(to, "links_left_out");
    cg_buf_put_decimal(to, left_out);
}

void cg_json_put_link_attributes(struct cg_buf *to, const char *key, struct cg_slice text) {
    struct attributes attributes;
    cg_json_put_key(to, key);
    cg_buf_put_u8(to, '{');
    if (!to->failed && gather(text, &attributes)) put_attributes(to, &attributes);
    cg_buf_put_u8(to, '}');
}

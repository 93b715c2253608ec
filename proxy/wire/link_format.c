/* Reading link-format. The hard thing: commas and semicolons separate, except between quotes and between '<' and '>',
 * and a link is told of only once all of it is well-formed, so that whoever reads attributes later meets no error. */
#include "wire/link_format.h"

#include "base/err.h"
#include "base/text.h"

/* Characters */

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool is_control(uint8_t c) { return c < 0x20 || c == 0x7f; }

static bool is_alphanumeric(uint8_t c) {
    const char lower = cg_ascii_lower((char)c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

static bool is_among(uint8_t c, const char *set) { return c != '\0' && strchr(set, c) != NULL; }

/* parmname, and the '*' of an ext-name-star */
static bool is_name_char(uint8_t c) { return is_alphanumeric(c) || is_among(c, "!#$&+-.^_`|~*"); }

static bool is_token_char(uint8_t c) { return is_alphanumeric(c) || is_among(c, "!#$%&'()*+-./:<=>?@[]^_`{|}~"); }

/* Of a URI reference, and of an IRI's, which some devices write: what a reference must be, its user knows. */
static bool is_target_char(uint8_t c) { return !is_control(c) && !is_among(c, " <>\""); }

/* Taking from the front */

static void skip(struct cg_slice *left, size_t count) {
    left->data += count;
    left->len -= count;
}

static bool take_char(struct cg_slice *left, char c) {
    if (left->len == 0 || left->data[0] != (uint8_t)c) return false;
    skip(left, 1);
    return true;
}

static struct cg_slice take_while(struct cg_slice *left, bool (*fits)(uint8_t c)) {
    size_t len = 0;
    while (len < left->len && fits(left->data[len])) len++;
    const struct cg_slice taken = {.data = left->data, .len = len};
    if (len > 0) skip(left, len);
    return taken;
}

/* The grammar has none between links and attributes; people and some devices write them. */
static void skip_blanks(struct cg_slice *left) { (void)take_while(left, is_blank); }

static bool take_separator(struct cg_slice *left, char c) {
    struct cg_slice after = *left;
    skip_blanks(&after);
    if (!take_char(&after, c)) return false;
    skip_blanks(&after);
    *left = after;
    return true;
}

static bool take_target(struct cg_slice *left, struct cg_slice *target) {
    if (!take_char(left, '<')) return false;
    *target = take_while(left, is_target_char);
    return take_char(left, '>');
}

/* RFC 2616 §2.2; the first quote is taken already. */
static bool take_quoted(struct cg_slice *left, struct cg_slice *value) {
    size_t i = 0;
    for (; i < left->len && left->data[i] != '"'; i++) {
        bool is_pair = left->data[i] == '\\';
        if (is_pair && (++i == left->len || left->data[i] >= 0x80)) return false;
        if (!is_pair && is_control(left->data[i]) && !is_blank(left->data[i])) return false;
    }
    if (i == left->len) return false;
    *value = cg_slice_of(left->data, i);
    skip(left, i + 1);
    return true;
}

/* Both forms where there is an equals sign: none of them is empty, but for quotes without anything between. */
static bool take_value(struct cg_slice *left, struct cg_link_attribute *attribute) {
    attribute->has_value = take_char(left, '=');
    if (!attribute->has_value) return true;
    attribute->is_quoted = take_char(left, '"');
    if (attribute->is_quoted) return take_quoted(left, &attribute->value);
    attribute->value = take_while(left, is_token_char);
    return attribute->value.len > 0;
}

static bool take_attribute(struct cg_slice *left, struct cg_link_attribute *attribute) {
    *attribute = (struct cg_link_attribute){.name = take_while(left, is_name_char)};
    return attribute->name.len > 0 && take_value(left, attribute);
}

/* Links */

void cg_link_reader_init(struct cg_link_reader *reader, struct cg_slice text) {
    *reader = (struct cg_link_reader){.left = text};
    skip_blanks(&reader->left);
}

static bool take_link(struct cg_slice *left, struct cg_link *link) {
    struct cg_link_attribute attribute;
    if (!take_target(left, &link->target)) return false;
    const uint8_t *start = left->data;
    while (take_separator(left, ';')) {
        if (!take_attribute(left, &attribute)) return false;
    }
    link->attributes = cg_slice_of(start, (size_t)(left->data - start));
    return true;
}

/* A comma behind which there is no other one is left: it is no link. */
static bool take_end(struct cg_slice *left) {
    struct cg_slice after = *left;
    bool goes_on = take_separator(&after, ',');
    if (!goes_on) skip_blanks(&after);
    if (!goes_on || after.len > 0) *left = after;
    return goes_on || after.len == 0;
}

bool cg_link_next(struct cg_link_reader *reader, struct cg_link *link) {
    struct cg_slice left = reader->left;
    if (left.len == 0 || reader->err < 0) return false;
    if (!take_link(&left, link) || !take_end(&left)) {
        reader->err = CG_E_FORMAT;
        return false;
    }
    reader->left = left;
    return true;
}

/* Attributes */

bool cg_link_next_attribute(struct cg_slice *attributes, struct cg_link_attribute *attribute) {
    return take_separator(attributes, ';') && take_attribute(attributes, attribute);
}

/* False: that was all. */
static bool take_byte(struct cg_slice *value, bool is_quoted, uint8_t *byte) {
    if (value->len > 1 && is_quoted && value->data[0] == '\\') skip(value, 1);
    if (value->len == 0) return false;
    *byte = value->data[0];
    skip(value, 1);
    return true;
}

size_t cg_link_unquote(const struct cg_link_attribute *attribute, char *to, size_t size) {
    struct cg_slice value = attribute->value;
    size_t len = 0;
    for (uint8_t byte; take_byte(&value, attribute->is_quoted, &byte); len++) {
        if (len < size) to[len] = (char)byte;
    }
    return len;
}

/* A word as far as it has been read, beside the one that is looked for. */
struct match {
    struct cg_slice wanted;
    bool may_go_on, differs;
    size_t len;
};

static bool is_match(const struct match *match) {
    return !match->differs && match->len >= match->wanted.len && match->len > 0;
}

static void match_byte(struct match *match, uint8_t byte) {
    bool is_within = match->len < match->wanted.len;
    if (is_within ? match->wanted.data[match->len] != byte : !match->may_go_on) match->differs = true;
    match->len++;
}

static bool has_word(const struct cg_link_attribute *attribute, struct match match) {
    struct cg_slice value = attribute->value;
    for (uint8_t byte; take_byte(&value, attribute->is_quoted, &byte);) {
        if (byte != ' ') {
            match_byte(&match, byte);
            continue;
        }
        if (is_match(&match)) return true;
        match.differs = false;
        match.len = 0;
    }
    return is_match(&match);
}

static struct match match_of(const char *value) {
    const struct cg_slice wanted = cg_slice_str(value);
    bool is_open = wanted.len > 0 && wanted.data[wanted.len - 1] == '*';
    return (struct match){.wanted = cg_slice_of(wanted.data, wanted.len - is_open), .may_go_on = is_open};
}

bool cg_link_has(const struct cg_link *link, const char *name, const char *value) {
    struct cg_slice attributes = link->attributes;
    struct cg_link_attribute attribute;
    while (cg_link_next_attribute(&attributes, &attribute)) {
        if (cg_slice_is(attribute.name, name) && has_word(&attribute, match_of(value))) return true;
    }
    return false;
}

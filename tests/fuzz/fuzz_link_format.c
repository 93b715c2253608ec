/* Link-format: what is read lies within the text and in order, has only the characters that it may have, is the same
 * when it is written out again, and nothing is read behind what is malformed. */
#include "input.h"

#include "base/buf.h"
#include "wire/link_format.h"

static void put_attribute(struct cg_buf *to, const struct cg_link_attribute *attribute) {
    cg_buf_put_u8(to, ';');
    cg_buf_put_slice(to, attribute->name);
    if (!attribute->has_value) return;
    cg_buf_put_str(to, attribute->is_quoted ? "=\"" : "=");
    cg_buf_put_slice(to, attribute->value);
    if (attribute->is_quoted) cg_buf_put_u8(to, '"');
}

static void check_attribute(const struct cg_link *link, const struct cg_link_attribute *attribute) {
    char name[64], value[64];
    size_t len = cg_link_unquote(attribute, NULL, 0);
    CG_CHECK(attribute->name.len > 0 && len <= attribute->value.len);
    CG_CHECK(attribute->has_value || attribute->value.len == 0);
    if (attribute->name.len >= sizeof name || len >= sizeof value) return;
    memcpy(name, attribute->name.data, attribute->name.len);
    name[attribute->name.len] = '\0';
    CG_CHECK(cg_link_unquote(attribute, value, sizeof value) == len);
    value[len] = '\0';
    bool is_word = len > 0 && strlen(value) == len && strchr(value, ' ') == NULL;
    if (is_word) CG_CHECK(cg_link_has(link, name, value) && cg_link_has(link, name, "*"));
}

/* Without blanks, and without what is malformed at the end. */
static void write_out(struct cg_buf *to, struct cg_slice text, struct cg_link_reader *reader) {
    struct cg_link link;
    struct cg_link_attribute attribute;
    cg_link_reader_init(reader, text);
    for (size_t before = reader->left.len; cg_link_next(reader, &link); before = reader->left.len) {
        CG_CHECK(reader->left.len < before && link.target.data > text.data);
        CG_CHECK(link.attributes.data + link.attributes.len <= text.data + text.len);
        if (to->len > 0) cg_buf_put_u8(to, ',');
        cg_buf_put_u8(to, '<');
        cg_buf_put_slice(to, link.target);
        cg_buf_put_u8(to, '>');
        for (struct cg_slice left = link.attributes; cg_link_next_attribute(&left, &attribute);) {
            check_attribute(&link, &attribute);
            put_attribute(to, &attribute);
        }
    }
    CG_CHECK(reader->err < 0 || reader->left.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cg_slice text = input_exact(cg_slice_of(data, size));
    struct cg_link_reader reader;
    struct cg_buf once, twice;
    cg_buf_init(&once, 0);
    cg_buf_init(&twice, 0);
    write_out(&once, text, &reader);
    write_out(&twice, cg_buf_slice(&once), &reader);
    CG_CHECK(reader.err == 0 && cg_slice_equal(cg_buf_slice(&once), cg_buf_slice(&twice)));
    cg_buf_fini(&once);
    cg_buf_fini(&twice);
    input_free(text);
    return 0;
}

/* What a mapping says about bodies and replies. */
#include "settings/draft.h"
#include "settings/rows.h"

#include "wire/content_format.h"

static void read_silence(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                         void *target) {
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    enum cg_silence *silence = (enum cg_silence *)(void *)((char *)target + row->offset);
    *silence = strcmp(text, "204") == 0 ? CG_SILENCE_IS_FINE : CG_SILENCE_IS_AN_ERROR;
    if (strcmp(text, "504") != 0 && strcmp(text, "204") != 0) cg_mistake_at(reader, at, "must be \"504\" or \"204\"");
}

static void print_silence(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    cg_out_text(out, row->key, draft->mapping.silence == CG_SILENCE_IS_FINE ? "204" : "504");
}

const struct cg_kind cg_kind_silence = {.read = read_silence, .print = print_silence};

static void read_content_type(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                              const json_t *json, void *target) {
    uint16_t format;
    if (json_is_null(json)) return;
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    if (cg_format_from_media_type(cg_slice_str(text), &format) < 0 || format == CG_FORMAT_OSCORE) {
        cg_mistake_at(reader, at,
                      "must be a media type that has a CoAP Content-Format, such as \"text/plain\" or "
                      "\"application/json\", or null");
        return;
    }
    *(const char **)(void *)((char *)target + row->offset) = cg_keep_text(reader, cg_slice_str(text));
}

const struct cg_kind cg_kind_content_type = {.read = read_content_type, .print = cg_print_text};

static bool is_block_size(json_int_t size) { return size >= 16 && size <= 1024 && (size & (size - 1)) == 0; }

static void read_block_size(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                            const json_t *json, void *target) {
    uint16_t *size = (uint16_t *)(void *)((char *)target + row->offset);
    *size = 0;
    if (json_is_null(json)) return;
    if (!json_is_integer(json) || !is_block_size(json_integer_value(json))) {
        cg_mistake_at(reader, at, "must be null, 16, 32, 64, 128, 256, 512 or 1024 (RFC 7959)");
        return;
    }
    *size = (uint16_t)json_integer_value(json);
}

static void print_block_size(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    if (draft->mapping.block_size == 0) {
        cg_out_text(out, row->key, NULL);
    } else {
        cg_out_integer(out, row->key, draft->mapping.block_size);
    }
}

const struct cg_kind cg_kind_block_size = {.read = read_block_size, .print = print_block_size};

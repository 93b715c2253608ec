/* Lines as Group-ETag fields (GCP §9.3): what is read is tags of 1 to 8 bytes, each of which written as the gateway
 * writes it is read again as itself. */
#include "input.h"

#include "base/buf.h"
#include "fronts/http/group_etag.h"

enum { FIELDS_MAX = 4 };

static void read_fields(struct cg_request *request, struct cg_arena *arena, const struct cg_http_field *fields,
                        size_t count) {
    const struct cg_http_message message = {.fields = fields, .field_count = count};
    CG_CHECK(cg_http_take_group_etags(request, arena, &message));
    CG_CHECK(request->group_etag_count <= CG_GROUP_ETAGS_MAX);
}

static void check_tag(struct cg_slice tag, struct cg_arena *arena) {
    struct cg_request again = {0};
    struct cg_buf text;
    CG_CHECK(tag.len >= 1 && tag.len <= CG_GROUP_ETAG_MAX);
    cg_buf_init(&text, 0);
    cg_buf_put_str(&text, ":");
    cg_buf_put_base64(&text, tag);
    cg_buf_put_str(&text, ":");
    const struct cg_http_field field = {cg_slice_str("Group-ETag"), cg_buf_slice(&text)};
    read_fields(&again, arena, &field, 1);
    CG_CHECK(again.group_etag_count == 1 && cg_slice_equal(again.group_etags[0], tag));
    cg_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct cg_http_field fields[FIELDS_MAX];
    struct cg_request request = {0};
    struct cg_arena arena;
    size_t count = 0;
    cg_arena_init(&arena, 1 << 20, NULL);
    for (; count < FIELDS_MAX && input.len > 0; count++) {
        fields[count] = (struct cg_http_field){cg_slice_str("group-etag"), input_exact(input_until(&input, '\n'))};
    }
    read_fields(&request, &arena, fields, count);
    for (size_t i = 0; i < request.group_etag_count; i++) check_tag(request.group_etags[i], &arena);
    cg_arena_fini(&arena);
    for (size_t i = 0; i < count; i++) input_free(fields[i].value);
    return 0;
}

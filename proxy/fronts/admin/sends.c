/* The hard thing: the snapshot that is asked is in use nowhere. It was taken far enough for that, with its protectors
 * and names, and whatever they are they outlive it. */
#include "fronts/admin/sends.h"

#include "model/mapping.h"
#include "recorder/preview.h"
#include "wire/msg.h"

static uint8_t method_of(const struct cg_mapping *mapping) {
    uint8_t method = CG_GET;
    if ((mapping->methods & CG_METHOD_BIT(CG_GET)) != 0 || mapping->methods == 0) return method;
    while ((mapping->methods & CG_METHOD_BIT(method)) == 0) method++;
    return method;
}

static void put_preview(struct cg_buf *to, const struct cg_preview *preview) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_preview_put_json(&text, preview);
    if (!text.failed) cg_buf_put(to, text.data + 1, text.len - 1); /* without its brace */
    to->failed |= text.failed;
    cg_buf_fini(&text);
}

static void put_mapping(struct cg_buf *to, struct cg_gateway *gateway, struct cg_config *config,
                        const struct cg_mapping *mapping) {
    struct cg_preview preview;
    struct cg_problem problem = {0};
    const struct cg_request request = {.method = method_of(mapping),
                                       .proof = CG_PROOF_ADMIN,
                                       .mapping = mapping->name,
                                       .path = cg_slice_str(mapping->path[0] == '\0' ? "/" : mapping->path)};
    cg_buf_put_str(to, "{\"mapping\":");
    cg_buf_put_json(to, cg_slice_str(mapping->name));
    cg_buf_printf(to, ",\"method\":\"%s\",", cg_method_name(request.method));
    if (cg_preview_request(gateway, config, &request, &preview, &problem) == CG_OK) {
        put_preview(to, &preview);
        return;
    }
    cg_buf_put_str(to, "\"problem\":");
    cg_buf_put_json(to, cg_slice_str(problem.detail));
    cg_buf_put_u8(to, '}');
}

static const struct cg_mapping *mapping_of(const struct cg_change *change, const struct cg_edit *edit) {
    const bool is_there = change->will != NULL && edit->kind == CG_ITEM_MAPPING && edit->item != NULL;
    return is_there ? cg_mapping_by_name(change->will, edit->name) : NULL;
}

void cg_admin_sends_put(struct cg_buf *to, struct cg_gateway *gateway, const struct cg_change *change) {
    size_t count, put = 0;
    const struct cg_edit *edits = cg_change_edits(change, &count);
    cg_buf_put_u8(to, '[');
    for (size_t i = 0; i < count && put < CG_ADMIN_SENDS_MAX; i++) {
        const struct cg_mapping *mapping = mapping_of(change, &edits[i]);
        if (mapping == NULL) continue;
        if (put++ > 0) cg_buf_put_u8(to, ',');
        put_mapping(to, gateway, change->will, mapping);
    }
    cg_buf_put_u8(to, ']');
}

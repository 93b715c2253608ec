/* Documents side by side. Keys and tokens have documents, too; what is secret of them is sealed, or a hash, which is
 * shown to nobody. */
#include "manage/difference.h"

#include "settings/json_load.h"

static json_t *document_of(const struct cg_item *item) {
    if (item == NULL) return json_null();
    json_t *document = cg_json_load(item->document, 0, NULL);
    if (item->kind == CG_ITEM_TOKEN) json_object_del(document, "sha256");
    return document;
}

static bool is_same(const struct cg_item *before, const struct cg_item *after) {
    return before != NULL && after != NULL && cg_slice_equal(before->document, after->document) &&
           cg_slice_equal(before->sealed, after->sealed);
}

json_t *cg_change_difference(const struct cg_change_own *own) {
    json_t *all = json_array();
    for (size_t i = 0; all != NULL && i < own->list_count; i++) {
        const struct cg_edit *edit = &own->list[i];
        const struct cg_item *before = cg_manage_find(own->manage, edit->kind, edit->name);
        if (is_same(before, edit->item)) continue;
        json_t *row = json_pack("{s:s, s:s, s:o, s:o}", "kind", cg_item_collections[edit->kind], "name", edit->name,
                                "before", document_of(before), "after", document_of(edit->item));
        if (json_array_append_new(all, row) == 0) continue;
        json_decref(all);
        return NULL;
    }
    return all;
}

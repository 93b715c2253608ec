/* The document. The hard thing: lists of links come from anybody, cut wherever a datagram ended, and what is written of
 * them must be JSON all the same. */
#include "fronts/admin/found_document.h"

#include "json/json_write.h"
#include "json/links.h"
#include "lend.h"
#include "wire/link_format.h"

static const char *const state_names[] = {
    [CG_FOUND_WHOLE] = "whole",     [CG_FOUND_CUT] = "cut",       [CG_FOUND_UNREADABLE] = "unreadable",
    [CG_FOUND_REFUSED] = "refused", [CG_FOUND_SILENT] = "silent", [CG_FOUND_UNASKED] = "unasked",
};

/* Values */

static void put_null(struct cg_buf *to, const char *key) {
    cg_json_put_key(to, key);
    cg_buf_put_str(to, "null");
}

static void put_text(struct cg_buf *to, const char *key, const char *text) {
    if (text == NULL) {
        put_null(to, key);
    } else {
        cg_json_put_text(to, key, cg_lend_text(text));
    }
}

/* null where it is empty */
static void put_slice(struct cg_buf *to, const char *key, struct cg_slice text) {
    if (text.len == 0) {
        put_null(to, key);
    } else {
        cg_json_put_text(to, key, cg_lend(text));
    }
}

static void put_addr(struct cg_buf *to, const char *key, const struct cg_addr *addr) {
    char text[CG_ADDR_TEXT_MAX];
    if (addr->family != CG_FAMILY_NONE) cg_addr_emit(addr, text);
    put_text(to, key, addr->family == CG_FAMILY_NONE ? NULL : text);
}

static void put_bool(struct cg_buf *to, const char *key, bool value) {
    cg_json_put_key(to, key);
    cg_buf_put_str(to, value ? "true" : "false");
}

static void put_number(struct cg_buf *to, const char *key, uint64_t number) {
    cg_json_put_key(to, key);
    cg_buf_put_decimal(to, number);
}

static void put_kid(struct cg_buf *to, const struct cg_found_node *node) {
    if (!node->has_kid) {
        put_null(to, "kid");
        return;
    }
    cg_json_put_key(to, "kid");
    cg_buf_put_u8(to, '"');
    cg_buf_put_hex(to, node->kid);
    cg_buf_put_u8(to, '"');
}

static void put_state(struct cg_buf *to, enum cg_found_state state, uint8_t code) {
    char text[5];
    cg_code_text(code, text);
    put_text(to, "state", state_names[state]);
    put_text(to, "code", code == 0 ? NULL : text);
}

/* As far as they are well-formed. */
static struct cg_slice whole_links(struct cg_slice text) {
    struct cg_link_reader reader;
    struct cg_link link;
    size_t len = 0;
    cg_link_reader_init(&reader, text);
    while (cg_link_next(&reader, &link)) len = (size_t)(link.attributes.data + link.attributes.len - text.data);
    return cg_slice_of(text.data, len);
}

/* The lists */

static const void *put_node(struct cg_buf *to, const void *item) {
    const struct cg_found_node *node = item;
    put_text(to, "group", node->group);
    put_text(to, "mapping", node->mapping == NULL ? NULL : node->mapping->name);
    put_text(to, "member", node->member);
    put_addr(to, "from", &node->at);
    put_kid(to, node);
    put_text(to, "verified", node->is_verified ? "source" : "none");
    put_state(to, node->state, node->code);
    cg_json_put_links(to, whole_links(node->links));
    return node->next;
}

static const void *put_directory(struct cg_buf *to, const void *item) {
    const struct cg_found_directory *directory = item;
    put_slice(to, "uri", directory->uri);
    put_addr(to, "told_by", &directory->told_by);
    put_bool(to, "may_be_fetched", directory->may_be_fetched);
    put_state(to, directory->state, directory->code);
    put_number(to, "imported", directory->imported);
    return directory->next;
}

static const void *put_entry(struct cg_buf *to, const void *item) {
    const struct cg_found_entry *entry = item;
    put_slice(to, "name", entry->name);
    put_slice(to, "base", entry->base);
    put_slice(to, "type", entry->type);
    put_slice(to, "sector", entry->sector);
    put_slice(to, "directory", entry->directory->uri);
    put_bool(to, "is_group", entry->is_group);
    put_bool(to, "may_be_fetched", entry->may_be_fetched);
    return entry->next;
}

static const void *put_security_group(struct cg_buf *to, const void *item) {
    const struct cg_found_security_group *group = item;
    put_slice(to, "name", group->name);
    put_slice(to, "application", group->application);
    put_slice(to, "join", group->join);
    put_addr(to, "told_by", &group->told_by);
    cg_json_put_link_attributes(to, "attributes", group->attributes);
    return group->next;
}

static const void *put_gap(struct cg_buf *to, const void *item) {
    const struct cg_found_gap *gap = item;
    put_slice(to, "what", gap->what);
    put_text(to, "why", gap->why);
    put_number(to, "count", gap->count);
    return gap->next;
}

static const void *first_of(const struct cg_found *found, unsigned list) {
    const void *const firsts[] = {found->nodes, found->directories, found->entries, found->security_groups,
                                  found->gaps};
    return firsts[list];
}

static const struct {
    const char *name;
    const void *(*put)(struct cg_buf *to, const void *item); /* returns the next one */
} lists[] = {{"nodes", put_node},
             {"directories", put_directory},
             {"entries", put_entry},
             {"security_groups", put_security_group},
             {"left_out", put_gap}};

enum { LISTS = sizeof lists / sizeof *lists };

static void put_summary(struct cg_buf *to, const struct cg_found *found) {
    const struct {
        const char *key;
        uint32_t number;
    } counts[] = {{"nodes", found->node_count},
                  {"answered", found->answered},
                  {"cut", found->cut},
                  {"silent", found->silent},
                  {"directories", found->directory_count},
                  {"entries", found->entry_count},
                  {"security_groups", found->security_group_count},
                  {"left_out", found->left_out}};
    cg_json_put_key(to, "summary");
    cg_buf_put_u8(to, '{');
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) put_number(to, counts[i].key, counts[i].number);
    put_text(to, "ended_by", found->ended_by);
    put_text(to, "problem", found->problem.err < 0 ? found->problem.detail : NULL);
    cg_buf_put_u8(to, '}');
}

/* One after another */

void cg_found_writer_init(struct cg_found_writer *writer, const struct cg_found *found) {
    *writer = (struct cg_found_writer){.found = found};
}

static void begin_list(struct cg_found_writer *writer, struct cg_buf *to) {
    cg_json_put_key(to, lists[writer->list].name);
    cg_buf_put_u8(to, '[');
    writer->item = first_of(writer->found, writer->list);
    writer->is_begun = true;
}

static void put_item(struct cg_found_writer *writer, struct cg_buf *to) {
    if (to->len > 0 && to->data[to->len - 1] != '[') cg_buf_put_u8(to, ',');
    cg_buf_put_u8(to, '{');
    writer->item = lists[writer->list].put(to, writer->item);
    cg_buf_put_u8(to, '}');
}

bool cg_found_writer_put(struct cg_found_writer *writer, struct cg_buf *to) {
    if (writer->list > LISTS) return false;
    if (writer->list == LISTS) {
        put_summary(to, writer->found);
        writer->list++;
        return false;
    }
    if (!writer->is_begun) begin_list(writer, to);
    if (writer->item != NULL) {
        put_item(writer, to);
    } else {
        cg_buf_put_u8(to, ']');
        writer->is_begun = false;
        writer->list++;
    }
    return true;
}

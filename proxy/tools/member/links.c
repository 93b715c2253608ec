/* The hard thing is that a look-up's queries are of two kinds: `page` and `count` say which of the links, all others
 * are filters (RFC 9176 §6.2). */
#include "tools/member/links.h"

#include <stdio.h>

#include "base/text.h"
#include "wire/link_format.h"

enum { LINK_MAX = 256 };

static bool has_name(struct cg_slice query, const char *name, struct cg_slice *value) {
    size_t len = strlen(name);
    bool has = query.len > len && query.data[len] == '=' && memcmp(query.data, name, len) == 0;
    if (has) *value = cg_slice_of(query.data + len + 1, query.len - len - 1);
    return has;
}

static bool is_about_pages(struct cg_slice query) {
    struct cg_slice value;
    return has_name(query, "page", &value) || has_name(query, "count", &value);
}

/* "NAME=VALUE", VALUE perhaps with '*' at its end (RFC 6690 §4.1). */
static bool passes_query(const struct cg_link *link, struct cg_slice query) {
    char text[LINK_MAX];
    struct cg_slice value;
    if (query.len >= sizeof text) return false;
    if (query.len > 0) memcpy(text, query.data, query.len);
    text[query.len] = '\0';
    char *equals = strchr(text, '=');
    if (equals == NULL) return false;
    *equals = '\0';
    if (has_name(query, "href", &value)) return cg_slice_equal(value, link->target);
    return cg_link_has(link, text, equals + 1);
}

static bool passes(const struct cg_link *link, const struct cg_resource_request *request) {
    for (size_t i = 0; i < request->queries_len; i++) {
        struct cg_slice query = request->queries[i];
        if (!is_about_pages(query) && !passes_query(link, query)) return false;
    }
    return true;
}

static void put(struct cg_buf *to, const char *text) {
    if (to->len > 0) cg_buf_put_u8(to, ',');
    cg_buf_put_str(to, text);
}

/* Options are checked to be one link each. */
static struct cg_link link_of(const char *text) {
    struct cg_link_reader reader;
    struct cg_link link = {0};
    cg_link_reader_init(&reader, cg_slice_str(text));
    (void)cg_link_next(&reader, &link);
    return link;
}

static void put_if(struct cg_buf *to, const char *text, const struct cg_resource_request *request) {
    const struct cg_link link = link_of(text);
    if (passes(&link, request)) put(to, text);
}

static void put_made_up(struct cg_buf *to, uint32_t count, const struct cg_resource_request *request) {
    for (uint32_t i = 1; i <= count; i++) {
        char text[LINK_MAX];
        (void)snprintf(text, sizeof text, "</made-up/%u>;rt=\"made-up\";if=\"core.s\";title=\"Number %u of many\"",
                       (unsigned)i, (unsigned)i);
        put_if(to, text, request);
    }
}

void cg_member_links_put(struct cg_buf *to, const struct cg_member_options *options,
                         const struct cg_resource_request *request) {
    static const char *const directory[] = {
        "</rd>;rt=\"core.rd\";ct=40",
        "</rd-lookup/ep>;rt=\"core.rd-lookup-ep\";ct=40",
        "</rd-lookup/res>;rt=\"core.rd-lookup-res\";ct=40",
    };
    for (size_t i = 0; options->is_directory && i < 3; i++) put_if(to, directory[i], request);
    for (size_t i = 0; i < options->security_groups_len; i++) put_if(to, options->security_groups[i], request);
    put_made_up(to, options->links, request);
}

/* The directory */

static uint32_t number_in(const struct cg_resource_request *request, const char *name, uint32_t otherwise) {
    for (size_t i = 0; i < request->queries_len; i++) {
        struct cg_slice value;
        uint64_t number;
        if (has_name(request->queries[i], name, &value) && cg_decimal_parse(value, UINT32_MAX, &number) == CG_OK)
            return (uint32_t)number;
    }
    return otherwise;
}

/* What has a name is an endpoint, or a group; anything else a resource. */
static bool is_endpoint(const struct cg_link *link) { return cg_link_has(link, "ep", "*"); }

static void put_page(struct cg_buf *to, const struct cg_member_options *options,
                     const struct cg_resource_request *request, bool endpoints) {
    uint32_t count = number_in(request, "count", UINT32_MAX), page = number_in(request, "page", 0), matching = 0;
    for (size_t i = 0; i < options->entries_len; i++) {
        const struct cg_link link = link_of(options->entries[i]);
        if (is_endpoint(&link) != endpoints || !passes(&link, request)) continue;
        uint64_t from = (uint64_t)page * count;
        if (matching >= from && matching - from < count) put(to, options->entries[i]);
        matching++;
    }
}

static bool is_endpoint_path(const char *path) { return strcmp(path, "rd-lookup/ep") == 0; }

bool cg_member_links_is_look_up(const char *path) {
    return is_endpoint_path(path) || strcmp(path, "rd-lookup/res") == 0;
}

bool cg_member_links_look_up(struct cg_buf *to, const struct cg_member_options *options,
                             const struct cg_resource_request *request) {
    if (!options->is_directory || !cg_member_links_is_look_up(request->path)) return false;
    put_page(to, options, request, is_endpoint_path(request->path));
    return true;
}

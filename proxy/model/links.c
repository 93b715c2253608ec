/* The gateway's own description. The hard thing is to say no more than the client may know: a mapping that it could not
 * use, or that another one hides from its Host, is not there. And as there may be 100 000 of them, it is made in parts.
 */
#include "model/links.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/access.h"
#include "model/forward.h"
#include "model/mapping.h"

enum { FILTERS_MAX = 16 };

/* An attribute's name and value; a NULL name ends a list. */
struct attribute {
    const char *name;
    const char *value;
};

struct link {
    const char *base; /* of the href; "": none */
    const char *path;
    const struct attribute *attributes;
};

struct filter {
    struct cg_slice name;
    struct cg_slice value;
    bool is_prefix;
};

struct filters {
    struct cg_buf text; /* what the slices point to */
    struct filter list[FILTERS_MAX];
    size_t count;
};

struct cg_links {
    const struct cg_config *config;
    const char *base;
    const struct cg_request *request;
    struct filters filters;
    struct cg_buf text;
    uint32_t next; /* mapping to be looked at */
    bool forwards; /* one of those until now is open to the forward proxy */
};

/* ---- Filters ---- */

static int malformed(struct cg_problem *problem, const char *why) {
    return cg_problem_set(problem, CG_E_BAD_URI, "the query is no filter such as ?rt=core.hc or ?href=/a*: %s", why);
}

/* The buffer may move as it grows, so first all is decoded, each argument behind its length. */
static int decode_arguments(struct filters *filters, struct cg_slice query, size_t lengths[FILTERS_MAX],
                            struct cg_problem *problem) {
    struct cg_slice argument;
    while (cg_uri_next_argument(&query, &argument)) {
        size_t before = filters->text.len;
        if (argument.len == 0) continue;
        if (filters->count == FILTERS_MAX) return malformed(problem, "it has too many arguments");
        int err = cg_uri_decode(argument, &filters->text);
        if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
        if (err < 0) return malformed(problem, "it is badly encoded");
        lengths[filters->count++] = filters->text.len - before;
    }
    return CG_OK;
}

static int split_argument(struct filter *filter, struct cg_slice text, struct cg_problem *problem) {
    const uint8_t *equals = text.len == 0 ? NULL : memchr(text.data, '=', text.len);
    if (equals == NULL) return malformed(problem, "an argument has no '='");
    filter->name = cg_slice_of(text.data, (size_t)(equals - text.data));
    filter->value = cg_slice_of(equals + 1, text.len - filter->name.len - 1);
    filter->is_prefix = filter->value.len > 0 && filter->value.data[filter->value.len - 1] == '*';
    filter->value.len -= filter->is_prefix;
    return CG_OK;
}

static int parse_filters(struct filters *filters, struct cg_slice query, struct cg_problem *problem) {
    size_t lengths[FILTERS_MAX], at = 0;
    int err = decode_arguments(filters, query, lengths, problem);
    for (size_t i = 0; i < filters->count && err == CG_OK; i++) {
        err = split_argument(&filters->list[i], cg_slice_of(filters->text.data + at, lengths[i]), problem);
        at += lengths[i];
    }
    return err;
}

static bool is_match(const struct filter *filter, struct cg_slice value) {
    if (filter->is_prefix && value.len > filter->value.len) value.len = filter->value.len;
    return cg_slice_equal(filter->value, value);
}

/* "rt" and "if" hold several values with spaces between; each counts on its own. */
static bool is_any_match(const struct filter *filter, const char *values) {
    for (;;) {
        size_t len = strcspn(values, " ");
        if (is_match(filter, cg_slice_of(values, len))) return true;
        if (values[len] == '\0') return false;
        values += len + 1;
    }
}

/* The part of it that is behind the base has the rest of the wanted value. */
static bool is_href_match(const struct filter *filter, const struct link *link) {
    struct filter rest = *filter;
    size_t len = strlen(link->base);
    if (rest.value.len < len) return rest.is_prefix && memcmp(rest.value.data, link->base, rest.value.len) == 0;
    if (memcmp(rest.value.data, link->base, len) != 0) return false;
    rest.value = cg_slice_of(rest.value.data + len, rest.value.len - len);
    return is_match(&rest, cg_slice_str(link->path));
}

static bool passes_one(const struct link *link, const struct filter *filter) {
    if (cg_slice_is(filter->name, "href")) return is_href_match(filter, link);
    for (const struct attribute *at = link->attributes; at->name != NULL; at++) {
        if (!cg_slice_is(filter->name, at->name)) continue;
        return strcmp(at->name, "rt") == 0 ? is_any_match(filter, at->value)
                                           : is_match(filter, cg_slice_str(at->value));
    }
    return false;
}

static bool passes(const struct link *link, const struct filters *filters) {
    for (size_t i = 0; i < filters->count; i++) {
        if (!passes_one(link, &filters->list[i])) return false;
    }
    return true;
}

/* ---- Links ---- */

/* Paths are in normal form and names are plain, so nothing needs escaping. */
static void put_link(struct cg_buf *to, const struct link *link, const struct filters *filters) {
    if (!passes(link, filters)) return;
    cg_buf_printf(to, "%s<%s%s>", to->len == 0 ? "" : ",", link->base, link->path);
    for (const struct attribute *at = link->attributes; at->name != NULL; at++) {
        cg_buf_printf(to, ";%s=\"%s\"", at->name, at->value);
    }
}

static bool is_for_coap(const struct cg_links *links) { return cg_cri_scheme_is_coap(links->request->scheme); }

static void put_mapping(struct cg_links *links, const struct cg_mapping *mapping) {
    bool aggregates = mapping->aggregate && is_for_coap(links);
    const struct attribute attributes[] = {{"rt", "castgate.mapping"},
                                           {"title", mapping->name},
                                           {aggregates ? "ct" : NULL, "62"}, /* multipart-core, when asked for */
                                           {NULL, NULL}};
    const struct link link = {
        .base = links->base, .path = mapping->path[0] == '\0' ? "/" : mapping->path, .attributes = attributes};
    put_link(&links->text, &link, &links->filters);
}

static void put_forward_proxy(struct cg_links *links) {
    static const struct attribute attributes[] = {{"rt", "core.hc"}, {"hct", "?target_uri={+tu}"}, {NULL, NULL}};
    const struct link link = {.base = links->base, .path = "/hc/", .attributes = attributes};
    put_link(&links->text, &link, &links->filters);
}

static bool is_reachable(const struct cg_config *config, const struct cg_mapping *mapping, struct cg_slice host) {
    struct cg_slice rest;
    const char *path = mapping->path[0] == '\0' ? "/" : mapping->path;
    return cg_mapping_find(config, host, cg_slice_str(path), &rest) == mapping;
}

static void look_at(struct cg_links *links, const struct cg_mapping *mapping) {
    if (!cg_access_may_see(mapping, links->request)) return;
    links->forwards = links->forwards || cg_forward_is_open(mapping);
    if (is_reachable(links->config, mapping, links->request->host)) put_mapping(links, mapping);
}

/* ---- A list, from its beginning to its end ---- */

struct cg_links *cg_links_begin(const struct cg_config *config, const struct cg_request *request,
                                struct cg_problem *problem) {
    struct cg_links *links = calloc(1, sizeof *links);
    if (links == NULL) {
        cg_problem_no_memory(problem);
        return NULL;
    }
    links->config = config;
    links->base = "";
    links->request = request;
    cg_buf_init(&links->filters.text, 0);
    cg_buf_init(&links->text, CG_LINKS_MAX);
    if (parse_filters(&links->filters, request->query, problem) == CG_OK) return links;
    cg_links_free(links);
    return NULL;
}

void cg_links_set_base(struct cg_links *links, const char *base) { links->base = base; }

bool cg_links_go_on(struct cg_links *links, size_t mappings) {
    const struct cg_config *config = links->config;
    const struct cg_mapping *mapping;
    for (; mappings > 0 && !links->text.failed; mappings--) {
        if ((mapping = cg_config_next_mapping(config, &links->next)) == NULL) return false;
        look_at(links, mapping);
    }
    return links->next < config->mapping_count && !links->text.failed;
}

static int hand_over(struct cg_links *links, struct cg_buf *to, struct cg_problem *problem) {
    if (links->forwards && !is_for_coap(links)) put_forward_proxy(links);
    int err = cg_buf_error(&links->text);
    if (err == CG_E_TOO_BIG)
        return cg_problem_set(problem, err, "too many mappings for one reply; ask for less, as with ?href=/a*");
    cg_buf_put_slice(to, cg_buf_slice(&links->text));
    if (err == CG_OK) err = cg_buf_error(to);
    return err < 0 ? cg_problem_no_memory(problem) : CG_OK;
}

int cg_links_end(struct cg_links *links, struct cg_buf *to, struct cg_problem *problem) {
    int err = hand_over(links, to, problem);
    cg_links_free(links);
    return err;
}

void cg_links_free(struct cg_links *links) {
    if (links == NULL) return;
    cg_buf_fini(&links->filters.text);
    cg_buf_fini(&links->text);
    free(links);
}

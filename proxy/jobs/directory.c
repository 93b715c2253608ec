/* Resource Directories (RFC 9176). Their look-up resources are asked for the groups that are registered there (Appendix
 * A), for all endpoints, and for security groups to join, page by page. The hard thing is whom to believe: a list of
 * links may lead anywhere, so directories are asked only where their link may be followed (place.h), on protected
 * groups only by whoever said so, and none that another directory tells of. */
#include "jobs/discovery_job.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/text.h"
#include "model/excerpt.h"
#include "model/mapping.h"
#include "model/stand_in.h"

enum {
    COUNT = 50,      /* links a page */
    PAGES_MAX = 40,  /* of one query */
    OF_ONE_MAX = 16, /* links to directories that one node tells of */
    TEXT_MAX = 1024,
    ASK_S = 93, /* MAX_TRANSMIT_WAIT */
};

/* One look-up resource, or /.well-known/core of a directory whose look-up nobody has told of. */
struct lookup {
    struct cg_job_item item;
    struct cg_found_directory *directory;
    struct cg_addr at;          /* of a plain group; family NONE: the member that the path names */
    struct cg_found_node node;  /* whoever told of it, for what its own links say */
    const char *const *filters; /* one query after the other; NULL: no more */
    struct cg_buf rest, query;
    struct cg_slice own_query; /* of its URI */
    uint32_t page, links;
    uint32_t digest, digest_before; /* of a page */
    bool has_answered, is_cut;
};

static const char *const endpoint_filters[] = {"et=core.rd-group", "", NULL};
static const char *const resource_filters[] = {"rt=core.osc.gm", NULL};
static const char *const core_filters[] = {"rt=core.rd*", NULL};

static struct lookup *lookup_of(struct cg_job_item *item) { return CG_CONTAINER(item, struct lookup, item); }

static bool is_core(const struct lookup *lookup) { return lookup->filters == core_filters; }

/* What is asked */

static void put_argument(struct cg_buf *to, struct cg_slice argument) {
    if (argument.len == 0) return;
    if (to->len > 0) cg_buf_put_u8(to, '&');
    cg_buf_put_slice(to, argument);
}

static void put_query(struct lookup *lookup) {
    struct cg_buf *query = &lookup->query;
    cg_buf_clear(query);
    put_argument(query, lookup->own_query);
    put_argument(query, cg_slice_str(*lookup->filters));
    if (is_core(lookup)) return;
    cg_buf_printf(query, "%spage=%u&count=%d", query->len > 0 ? "&" : "", (unsigned)lookup->page, COUNT);
}

static bool next(struct cg_job_item *item, struct cg_own *own) {
    struct lookup *lookup = lookup_of(item);
    uint32_t left = cg_job_seconds_left(item->job);
    put_query(lookup);
    own->rest = cg_buf_slice(&lookup->rest);
    own->query = cg_buf_slice(&lookup->query);
    own->asks = lookup->at;
    own->timeout_s = left < ASK_S ? left : ASK_S;
    lookup->links = lookup->digest = 0;
    lookup->has_answered = lookup->is_cut = false;
    return own->timeout_s > 0 && !lookup->query.failed && !lookup->rest.failed;
}

/* What comes */

/* The attribute, unquoted; empty: there is none, or it is longer than any that is good. */
static struct cg_slice take(const struct cg_link *link, const char *name, char to[TEXT_MAX]) {
    struct cg_slice attributes = link->attributes;
    struct cg_link_attribute attribute;
    while (cg_link_next_attribute(&attributes, &attribute)) {
        if (!cg_slice_is(attribute.name, name)) continue;
        size_t len = cg_link_unquote(&attribute, to, TEXT_MAX);
        return len > TEXT_MAX ? CG_SLICE_NONE : cg_slice_of(to, len);
    }
    return CG_SLICE_NONE;
}

static struct cg_place_view view_of(const struct cg_job_item *item, const struct cg_addr *told_by) {
    return (struct cg_place_view){
        .gateway = item->inquiry.gateway, .excerpt = item->inquiry.excerpt, .told_by = told_by};
}

static void import(struct lookup *lookup, const struct cg_link *link) {
    struct cg_job_item *item = &lookup->item;
    char name[TEXT_MAX], base[TEXT_MAX], type[TEXT_MAX], sector[TEXT_MAX];
    struct cg_found_entry entry = {.name = take(link, "ep", name),
                                   .base = take(link, "base", base),
                                   .type = take(link, "et", type),
                                   .sector = take(link, "d", sector)};
    const struct cg_place_view view = view_of(item, &lookup->directory->told_by);
    struct cg_uri uri;
    bool is_group = cg_place_is_group(entry.base);
    if (entry.name.len == 0 && entry.base.len == 0) return;
    entry.is_group = is_group || cg_link_has(link, "et", "core.rd-group");
    entry.may_be_fetched = is_group || cg_place_may_be_asked(&view, entry.base, &uri);
    cg_findings_import(&item->job->findings, lookup->directory, &entry);
}

static void note_security_group(struct cg_job_item *item, const struct cg_link *link, const struct cg_addr *told_by) {
    struct cg_buf join;
    cg_buf_init(&join, 0);
    cg_place_put(&join, link, told_by);
    if (!join.failed) cg_findings_note_security_group(&item->job->findings, link, cg_buf_slice(&join), told_by);
    cg_buf_fini(&join);
}

static void take_link(struct lookup *lookup, const struct cg_link *link) {
    struct cg_found_directory *directory = lookup->directory;
    lookup->links++;
    if (directory->kind == CG_FOUND_RD_LOOKUP_EP) {
        import(lookup, link);
    } else if (cg_link_has(link, "rt", "core.osc.gm")) {
        note_security_group(&lookup->item, link, &directory->told_by);
        directory->imported++;
    }
}

static void take_page(struct lookup *lookup, struct cg_slice page) {
    struct cg_link_reader reader;
    struct cg_link link;
    cg_link_reader_init(&reader, page);
    while (cg_link_next(&reader, &link)) take_link(lookup, &link);
    lookup->digest = cg_fnv(CG_FNV_START, page.data, page.len);
    if (reader.err < 0 && !lookup->is_cut) lookup->directory->state = CG_FOUND_UNREADABLE;
}

static void refuse(struct lookup *lookup, const struct cg_answer *answer) {
    bool is_error = answer->code != CG_CODE(2, 5);
    lookup->directory->state = is_error ? CG_FOUND_REFUSED : CG_FOUND_UNREADABLE;
    lookup->directory->code = answer->code;
}

static void take_core(struct lookup *lookup, struct cg_slice links) {
    lookup->node.links = links;
    cg_directories_note_links(&lookup->item, &lookup->node);
}

static void on_answer(struct cg_job_item *item, const struct cg_answer *answer, enum cg_finding_part part) {
    struct lookup *lookup = lookup_of(item);
    lookup->has_answered = true;
    lookup->links = 0;
    lookup->is_cut = part == CG_FINDING_BEGINNING;
    lookup->directory->state = lookup->is_cut ? CG_FOUND_CUT : CG_FOUND_WHOLE;
    if (!cg_findings_are_links(answer)) {
        refuse(lookup, answer);
    } else if (is_core(lookup)) {
        take_core(lookup, answer->payload);
    } else {
        take_page(lookup, answer->payload);
    }
}

/* A page that is not full is the last; so is one that is not what was asked for, or the same once more. */
static bool has_more_pages(const struct lookup *lookup) {
    bool is_same = lookup->page > 0 && lookup->digest == lookup->digest_before;
    return lookup->links == COUNT && !lookup->is_cut && !is_same;
}

static void forgo(struct cg_job_item *item, struct cg_slice uri, const char *why) {
    cg_findings_note_gap(&item->job->findings, uri, why);
}

static void go_to_next_page(struct lookup *lookup) {
    lookup->digest_before = lookup->digest;
    if (++lookup->page < PAGES_MAX) return;
    forgo(&lookup->item, lookup->directory->uri, "has more pages than one discovery asks for");
    lookup->page = 0;
    lookup->filters++;
}

static void on_over(struct cg_job_item *item, enum cg_inquiry_end how, const struct cg_view *view) {
    struct lookup *lookup = lookup_of(item);
    (void)how, (void)view;
    if (!lookup->has_answered) {
        lookup->directory->state = lookup->page > 0 ? CG_FOUND_CUT : CG_FOUND_SILENT;
        item->is_over = true;
        return;
    }
    if (has_more_pages(lookup)) {
        go_to_next_page(lookup);
    } else {
        lookup->page = 0;
        lookup->filters++;
    }
    item->is_over = *lookup->filters == NULL || lookup->directory->state == CG_FOUND_REFUSED;
}

static void on_left(struct cg_job_item *item, const char *why) { forgo(item, lookup_of(item)->directory->uri, why); }

static void on_release(struct cg_job_item *item) {
    struct lookup *lookup = lookup_of(item);
    cg_buf_fini(&lookup->rest);
    cg_buf_fini(&lookup->query);
    free(lookup);
}

static const struct cg_job_item_ops lookup_ops = {
    .next = next, .answer = on_answer, .over = on_over, .left = on_left, .release = on_release};

/* Asking one */

/* As the group's, for one of those who are in it. NULL: no memory. */
static struct cg_config *excerpt_of(const struct cg_job_item *item) {
    struct cg_config *base = item->inquiry.excerpt, *excerpt = cg_excerpt_new(base, &base->mappings[0]);
    if (excerpt == NULL) return NULL;
    excerpt->mappings[0].stand_in = CG_STAND_IN_MEMBERS;
    if (cg_excerpt_go_to(excerpt, "") && cg_mapping_index(excerpt)) return excerpt;
    cg_config_unref(excerpt);
    return NULL;
}

static void put_rest(struct lookup *lookup, const struct cg_found_node *node, const struct cg_uri *uri) {
    struct cg_slice path = is_core(lookup) ? cg_slice_str("/.well-known/core") : uri->path;
    if (node->is_verified) {
        cg_buf_put_str(&lookup->rest, "/" CG_STAND_IN_MARKER "/");
        cg_uri_encode(&lookup->rest, cg_slice_str(node->member), CG_URI_SEGMENT);
    } else {
        lookup->at = uri->addr;
    }
    cg_buf_put_slice(&lookup->rest, path);
}

static const char *const *filters_of(const struct cg_found_directory *directory) {
    switch (directory->kind) {
    case CG_FOUND_RD: break;
    case CG_FOUND_RD_LOOKUP_EP: return endpoint_filters;
    case CG_FOUND_RD_LOOKUP_RES: return resource_filters;
    }
    return core_filters;
}

/* False: no memory. */
static bool add_lookup(struct cg_job_item *item, const struct cg_found_node *node, struct cg_found_directory *directory,
                       const struct cg_uri *uri) {
    struct lookup *lookup = calloc(1, sizeof *lookup);
    struct cg_config *excerpt = lookup == NULL ? NULL : excerpt_of(item);
    if (excerpt == NULL) {
        free(lookup);
        return false;
    }
    lookup->item.ops = &lookup_ops;
    lookup->item.source = item->source;
    lookup->item.inquiry.excerpt = excerpt;
    lookup->directory = directory;
    lookup->filters = filters_of(directory);
    lookup->node = *node;
    lookup->own_query = is_core(lookup) ? CG_SLICE_NONE : cg_findings_keep(&item->job->findings, uri->query);
    cg_buf_init(&lookup->rest, 0);
    cg_buf_init(&lookup->query, 0);
    put_rest(lookup, node, uri);
    cg_job_add(item->job, &lookup->item);
    return true;
}

/* Where answers are verified only somebody whose answers can be: the node itself. */
static bool is_trusted(const struct cg_job_item *item, const struct cg_found_node *node, const struct cg_uri *uri) {
    if (item->inquiry.excerpt->mappings[0].security != CG_SECURITY_GROUP) return true;
    return node->is_verified && node->member != NULL && cg_addr_same_host(&uri->addr, &node->at) &&
           uri->addr.port == node->at.port;
}

/* One that a directory was asked for leads on to nobody else. */
static bool is_of_asked(const struct cg_job_item *item, const struct cg_found_node *node, const struct cg_uri *uri) {
    return item->ops != &lookup_ops || cg_addr_same_host(&uri->addr, &node->at);
}

static bool may_be_asked(struct cg_job_item *item, const struct cg_found_node *node, struct cg_slice text,
                         struct cg_uri *uri) {
    const struct cg_place_view view = view_of(item, &node->at);
    return cg_place_may_be_asked(&view, text, uri) && is_trusted(item, node, uri) && is_of_asked(item, node, uri);
}

static void ask(struct cg_job_item *item, const struct cg_found_node *node, struct cg_found_directory *directory,
                const struct cg_uri *uri) {
    struct cg_discovery *job = item->job;
    if (job->directories == CG_JOB_DIRECTORIES_MAX) {
        forgo(item, directory->uri, "is beyond the directories that one discovery asks");
    } else if (add_lookup(item, node, directory, uri)) {
        job->directories++;
    } else {
        forgo(item, directory->uri, "could not be asked for lack of memory");
    }
}

/* What links say */

static void note_directory(struct cg_job_item *item, const struct cg_found_node *node, struct cg_slice uri_text,
                           enum cg_found_directory_kind kind) {
    struct cg_uri uri;
    struct cg_found_directory *directory = cg_findings_note_directory(&item->job->findings, kind, uri_text, &node->at);
    if (directory == NULL) return;
    directory->may_be_fetched = may_be_asked(item, node, directory->uri, &uri);
    if (directory->may_be_fetched && kind != CG_FOUND_RD) ask(item, node, directory, &uri);
}

static const struct {
    const char *type;
    enum cg_found_directory_kind kind;
} kinds[] = {
    {"core.rd", CG_FOUND_RD},
    {"core.rd-lookup-ep", CG_FOUND_RD_LOOKUP_EP},
    {"core.rd-lookup-res", CG_FOUND_RD_LOOKUP_RES},
};

static void note_kinds(struct cg_job_item *item, const struct cg_found_node *node, const struct cg_link *link) {
    struct cg_buf uri;
    cg_buf_init(&uri, 0);
    cg_place_put(&uri, link, &node->at);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !uri.failed; i++) {
        if (cg_link_has(link, "rt", kinds[i].type)) note_directory(item, node, cg_buf_slice(&uri), kinds[i].kind);
    }
    cg_buf_fini(&uri);
}

/* Of one node so many, that others' have a place beside them. */
static void note_some(struct cg_job_item *item, const struct cg_found_node *node, const struct cg_link *link,
                      unsigned before) {
    if (before < OF_ONE_MAX) {
        note_kinds(item, node, link);
    } else {
        forgo(item, CG_SLICE_NONE, "are beyond the directories of one node that a discovery keeps");
    }
}

void cg_directories_note_links(struct cg_job_item *item, const struct cg_found_node *node) {
    struct cg_link_reader reader;
    struct cg_link link;
    unsigned directories = 0;
    cg_link_reader_init(&reader, node->links);
    while (cg_link_next(&reader, &link)) {
        if (cg_link_has(&link, "rt", "core.rd*")) note_some(item, node, &link, directories++);
        if (cg_link_has(&link, "rt", "core.osc.gm")) note_security_group(item, &link, &node->at);
    }
}

/* Who was asked with a filter, or says little of itself */

static bool has_lookup(const struct cg_found *found, const struct cg_addr *told_by) {
    const struct cg_found_directory *directory = found->directories;
    while (directory != NULL && !(directory->kind != CG_FOUND_RD && cg_addr_equal(&directory->told_by, told_by)))
        directory = directory->next;
    return directory != NULL;
}

static const struct cg_found_node *find_node(const struct cg_found *found, const struct cg_finding_source *source,
                                             const struct cg_addr *at) {
    const struct cg_found_node *node = found->nodes;
    while (node != NULL && !(node->group == source->group && cg_addr_equal(&node->at, at))) node = node->next;
    return node;
}

static void ask_for_lookup(struct cg_job_item *item, struct cg_found_directory *directory) {
    const struct cg_found *found = &item->job->findings.found;
    const struct cg_found_node *node = find_node(found, &item->source, &directory->told_by);
    struct cg_uri uri;
    if (node == NULL || has_lookup(found, &directory->told_by)) return;
    if (may_be_asked(item, node, directory->uri, &uri)) ask(item, node, directory, &uri);
}

void cg_directories_ask_for_lookups(struct cg_job_item *item) {
    struct cg_found_directory *directory = item->job->findings.found.directories;
    for (; directory != NULL; directory = directory->next) {
        bool is_open = directory->kind == CG_FOUND_RD && directory->may_be_fetched;
        if (is_open && directory->state == CG_FOUND_UNASKED) ask_for_lookup(item, directory);
    }
}

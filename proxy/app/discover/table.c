/* The table. The hard thing: a thousand nodes of one make have a thousand times the same links, and what differs must
 * not drown in them: a list that was shown lately is named by who had it. */
#include "app/discover/table.h"

#include "app/discover/json_text.h"
#include "app/discover/shown.h"

enum {
    LINKS_SHOWN = 40, /* of a node */
    LISTS_KEPT = 8,   /* that others may have, too */
    LINE_MAX = 200,   /* characters of a text that ends its line */
};

/* Columns */
enum { NODE = 21, MEMBER = 12, VERIFIED = 8, LINK = 24, TYPE = 18, INTERFACE = 12, TITLE = 40 };

struct shown {
    const json_t *links;
    struct cg_slice by; /* whose they are */
};

struct table {
    struct cg_buf *to;
    struct shown shown[LISTS_KEPT];
    size_t shown_count; /* in all: the oldest makes room */
    struct cg_slice group, mapping;
};

static void put_line(struct table *table, const char *text) {
    cg_buf_put_str(table->to, text);
    cg_buf_put_u8(table->to, '\n');
}

static void put_cell(struct table *table, struct cg_slice text, size_t width) {
    cg_put_cell(table->to, text.len > 0 ? text : cg_slice_str("-"), width);
}

static void put_blank(struct table *table, size_t width) { cg_put_cell(table->to, CG_SLICE_NONE, width); }

static void put_rest(struct table *table, struct cg_slice text) { cg_put_shown(table->to, text, LINE_MAX); }

/* The line's blanks at its end are none. */
static void end_line(struct table *table) {
    struct cg_buf *to = table->to;
    while (to->len > 0 && to->data[to->len - 1] == ' ') to->len--;
    cg_buf_put_u8(to, '\n');
}

/* ---- Links ---- */

/* Its words, one after another. */
static void put_words(struct table *table, const json_t *words, size_t width) {
    struct cg_buf text;
    size_t i;
    const json_t *word;
    cg_buf_init(&text, 0);
    json_array_foreach(words, i, word) {
        if (i > 0) cg_buf_put_u8(&text, ' ');
        cg_buf_put_slice(&text, cg_json_slice(word));
    }
    cg_put_cell(table->to, cg_buf_slice(&text), width);
    table->to->failed |= text.failed;
    cg_buf_fini(&text);
}

/* The first of several. */
static struct cg_slice title_of(const json_t *link) {
    const json_t *title = json_object_get(link, "title");
    return cg_json_slice(json_is_array(title) ? json_array_get(title, 0) : title);
}

static void put_link(struct table *table, const json_t *link) {
    put_cell(table, cg_json_text_at(link, "target"), LINK);
    put_words(table, json_object_get(link, "rt"), TYPE);
    put_words(table, json_object_get(link, "if"), INTERFACE);
    cg_put_shown(table->to, title_of(link), TITLE);
    end_line(table);
}

static void indent(struct table *table) { put_blank(table, NODE + MEMBER + VERIFIED + 4); }

static void put_links(struct table *table, const json_t *links, long long left_out) {
    size_t count = json_array_size(links), shown = count < LINKS_SHOWN ? count : LINKS_SHOWN;
    left_out += (long long)(count - shown);
    if (count == 0) put_line(table, "(no links)");
    for (size_t i = 0; i < shown; i++) {
        if (i > 0) indent(table);
        put_link(table, json_array_get(links, i));
    }
    if (left_out == 0) return;
    indent(table);
    cg_buf_printf(table->to, "(and %lld more: --json shows %s)\n", left_out,
                  count > shown ? "them" : "no more of them, either");
}

static const struct shown *find_same(const struct table *table, const json_t *links) {
    size_t kept = table->shown_count < LISTS_KEPT ? table->shown_count : LISTS_KEPT;
    for (size_t i = 0; i < kept && json_array_size(links) > 1; i++) {
        if (json_equal(table->shown[i].links, links)) return &table->shown[i];
    }
    return NULL;
}

static void put_list(struct table *table, const json_t *node) {
    const json_t *links = json_object_get(node, "links");
    const struct shown *same = find_same(table, links);
    if (same != NULL) {
        cg_buf_put_str(table->to, "the same as ");
        put_rest(table, same->by);
        end_line(table);
        return;
    }
    put_links(table, links, json_integer_value(json_object_get(node, "links_left_out")));
    table->shown[table->shown_count++ % LISTS_KEPT] =
        (struct shown){.links = links, .by = cg_json_text_at(node, "from")};
}

/* ---- Nodes ---- */

static const char *remark_of(const json_t *node) {
    if (cg_json_is_at(node, "state", "cut")) return "(the list goes on, and was not followed to its end)";
    if (cg_json_is_at(node, "state", "unreadable")) return "(what follows there is no list of links)";
    return NULL;
}

static void put_answered(struct table *table, const json_t *node) {
    const char *remark = remark_of(node);
    if (cg_json_is_at(node, "state", "refused")) {
        put_rest(table, cg_json_text_at(node, "code"));
        put_line(table, " instead of a list");
        return;
    }
    put_list(table, node);
    if (remark == NULL) return;
    indent(table);
    put_line(table, remark);
}

static void begin_group(struct table *table, const json_t *node) {
    const struct cg_slice group = cg_json_text_at(node, "group"), mapping = cg_json_text_at(node, "mapping");
    if (cg_slice_equal(group, table->group) && cg_slice_equal(mapping, table->mapping)) return;
    table->group = group;
    table->mapping = mapping;
    cg_buf_put_str(table->to, "\ngroup ");
    put_rest(table, group);
    cg_buf_put_str(table->to, mapping.len > 0 ? ", mapping " : ", which no mapping has");
    put_rest(table, mapping);
    put_line(table, "");
    put_cell(table, cg_slice_str("node"), NODE);
    put_cell(table, cg_slice_str("member"), MEMBER);
    put_cell(table, cg_slice_str("verified"), VERIFIED);
    put_cell(table, cg_slice_str("link"), LINK);
    put_cell(table, cg_slice_str("type"), TYPE);
    put_cell(table, cg_slice_str("interface"), INTERFACE);
    put_line(table, "title");
}

static void put_node(struct table *table, const json_t *node) {
    bool is_silent = cg_json_is_at(node, "state", "silent");
    begin_group(table, node);
    put_cell(table, cg_json_text_at(node, "from"), NODE);
    put_cell(table, cg_json_text_at(node, "member"), MEMBER);
    if (is_silent) {
        put_line(table, "silent");
        return;
    }
    put_cell(table, cg_slice_str(cg_json_is_at(node, "verified", "source") ? "yes" : "no"), VERIFIED);
    put_answered(table, node);
}

/* ---- What else there is ---- */

static const char *state_of_directory(const json_t *directory) {
    if (cg_json_is_at(directory, "state", "unasked")) return "not asked";
    if (cg_json_is_at(directory, "state", "silent")) return "silent";
    if (cg_json_is_at(directory, "state", "cut")) return "read in part";
    if (cg_json_is_at(directory, "state", "unreadable")) return "no list of links";
    return cg_json_is_at(directory, "state", "refused") ? "refuses" : "read";
}

static void put_directory(struct table *table, const json_t *directory) {
    put_blank(table, 0);
    put_cell(table, cg_json_text_at(directory, "uri"), 48);
    cg_buf_put_str(table->to, state_of_directory(directory));
    long long imported = json_integer_value(json_object_get(directory, "imported"));
    if (imported > 0) cg_buf_printf(table->to, ", %lld entries", imported);
    if (json_is_false(json_object_get(directory, "may_be_fetched")))
        cg_buf_put_str(table->to, ": it is outside the link and group.prefixes, or here");
    end_line(table);
}

static void put_entry(struct table *table, const json_t *entry) {
    bool is_group = json_is_true(json_object_get(entry, "is_group"));
    put_blank(table, 0);
    put_cell(table, cg_json_text_at(entry, "name"), 24);
    put_cell(table, cg_slice_str(is_group ? "group" : "endpoint"), 8);
    put_cell(table, cg_json_text_at(entry, "base"), 40);
    put_rest(table, cg_json_text_at(entry, "type"));
    if (cg_json_text_at(entry, "sector").len > 0) {
        cg_buf_put_str(table->to, " in ");
        put_rest(table, cg_json_text_at(entry, "sector"));
    }
    end_line(table);
}

static void put_value(struct table *table, const json_t *value) {
    size_t i;
    const json_t *item;
    if (json_is_array(value)) {
        json_array_foreach(value, i, item) {
            if (i > 0) cg_buf_put_u8(table->to, ',');
            put_value(table, item);
        }
    } else if (json_is_integer(value)) {
        cg_buf_printf(table->to, "%lld", (long long)json_integer_value(value));
    } else {
        put_rest(table, cg_json_slice(value));
    }
}

/* What the link says of algorithms and credentials, for whoever joins. */
static void put_attributes(struct table *table, json_t *attributes) {
    static const char *const known[] = {"rt", "if", "ct", "sec-gp", "app-gp"}; /* said already, or of no use here */
    const char *name, *before = "    ";
    json_t *value;
    json_object_foreach(attributes, name, value) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], name) != 0) i++;
        if (i < sizeof known / sizeof *known) continue;
        cg_buf_printf(table->to, "%s%s=", before, name);
        put_value(table, value);
        before = " ";
    }
    if (before[1] == '\0') end_line(table);
}

static void put_security_group(struct table *table, const json_t *group) {
    const struct cg_slice application = cg_json_text_at(group, "application");
    put_blank(table, 0);
    put_cell(table, cg_json_text_at(group, "name"), 24);
    cg_buf_put_str(table->to, "join at ");
    put_rest(table, cg_json_text_at(group, "join"));
    if (application.len > 0) {
        cg_buf_put_str(table->to, ", for ");
        put_rest(table, application);
    }
    cg_buf_put_str(table->to, ", says ");
    put_rest(table, cg_json_text_at(group, "told_by"));
    end_line(table);
    put_attributes(table, json_object_get(group, "attributes"));
}

static void put_gap(struct table *table, const json_t *gap) {
    long long count = json_integer_value(json_object_get(gap, "count"));
    const struct cg_slice what = cg_json_text_at(gap, "what");
    put_blank(table, 0);
    put_rest(table, what);
    if (what.len == 0 || count > 1) cg_buf_printf(table->to, "%s%lld", what.len > 0 ? " and others, " : "", count);
    cg_buf_put_u8(table->to, ' ');
    put_rest(table, cg_json_text_at(gap, "why"));
    end_line(table);
}

static void put_all(struct table *table, const json_t *document, const char *key, const char *heading,
                    void (*put)(struct table *table, const json_t *item)) {
    const json_t *items = json_object_get(document, key), *item;
    size_t i;
    if (json_array_size(items) > 0 && heading != NULL) cg_buf_printf(table->to, "\n%s\n", heading);
    json_array_foreach(items, i, item) put(table, item);
}

/* ---- In a line ---- */

static long long count_at(const json_t *summary, const char *key) {
    return json_integer_value(json_object_get(summary, key));
}

static void put_summary(struct table *table, const json_t *summary) {
    long long cut = count_at(summary, "cut"), silent = count_at(summary, "silent");
    const struct cg_slice problem = cg_json_text_at(summary, "problem");
    cg_buf_printf(table->to, "\n%lld answered", count_at(summary, "answered"));
    if (cut > 0) cg_buf_printf(table->to, ", %lld of them not to the end", cut);
    if (silent > 0) cg_buf_printf(table->to, ", %lld silent", silent);
    if (count_at(summary, "left_out") > 0) cg_buf_printf(table->to, ", %lld left out", count_at(summary, "left_out"));
    cg_buf_put_str(table->to, "; ended by ");
    put_rest(table, cg_json_text_at(summary, "ended_by"));
    end_line(table);
    if (problem.len == 0) return;
    cg_buf_put_str(table->to, "not all was asked: ");
    cg_put_shown(table->to, problem, 480);
    end_line(table);
}

void cg_discover_table(struct cg_buf *to, const json_t *document) {
    struct table table = {.to = to};
    put_all(&table, document, "nodes", NULL, put_node);
    put_all(&table, document, "directories", "Resource Directories", put_directory);
    put_all(&table, document, "entries", "registered there", put_entry);
    put_all(&table, document, "security_groups",
            "security groups (pending: join one at its Group Manager, and name its key file in \"security_groups\")",
            put_security_group);
    put_all(&table, document, "left_out", "left out", put_gap);
    put_summary(&table, json_object_get(document, "summary"));
}

/* Growing a result. The hard thing: whatever comes, and in whichever order, each thing is in it once: so all of it is
 * in one table, by what makes it the same, and a list that is whole is never replaced by a worse one. */
#include "jobs/findings.h"

#include "wire/content_format.h"

enum { SMALL_LEFT = 64 << 10 /* bytes that no list takes: for names, and for what was left out */ };

/* Text */

struct cg_slice cg_findings_keep(struct cg_findings *findings, struct cg_slice text) {
    struct cg_slice kept = cg_arena_copy(&findings->arena, text);
    if (kept.len < text.len) findings->is_full = true;
    return kept;
}

/* Its value, unquoted, into the arena of the findings; empty: there is none, or no room. */
static struct cg_slice attribute_of(struct cg_findings *findings, const struct cg_link *link, const char *name) {
    struct cg_slice attributes = link->attributes;
    struct cg_link_attribute attribute;
    while (cg_link_next_attribute(&attributes, &attribute)) {
        if (!cg_slice_is(attribute.name, name) || attribute.value.len == 0) continue;
        char *text = cg_arena_alloc(&findings->arena, attribute.value.len);
        if (text == NULL) return CG_SLICE_NONE;
        return cg_slice_of(text, cg_link_unquote(&attribute, text, attribute.value.len));
    }
    return CG_SLICE_NONE;
}

bool cg_findings_are_links(const struct cg_answer *answer) {
    const struct cg_msg msg = {.options = answer->options};
    struct cg_slice format;
    bool is_said = cg_msg_find(&msg, CG_OPT_CONTENT_FORMAT, &format);
    return answer->code == CG_CODE(2, 5) && (!is_said || (format.len <= 2 && cg_uint_parse(format) == CG_FORMAT_LINKS));
}

/* What is there already */

struct cg_finding_key {
    UT_hash_handle hh;
    void *finding;
    uint8_t bytes[];
};

static void *find(const struct cg_findings *findings, struct cg_slice bytes) {
    struct cg_finding_key *key;
    HASH_FIND(hh, findings->keys, bytes.data, bytes.len, key);
    return key == NULL ? NULL : key->finding;
}

/* False: there is no room. */
static bool add(struct cg_findings *findings, struct cg_slice bytes, void *finding) {
    struct cg_finding_key *key = finding == NULL ? NULL : cg_arena_zalloc(&findings->arena, sizeof *key + bytes.len);
    if (key != NULL) {
        memcpy(key->bytes, bytes.data, bytes.len);
        key->finding = finding;
        HASH_ADD_KEYPTR(hh, findings->keys, key->bytes, bytes.len, key);
    }
    bool is_added = key != NULL && CG_HASH_HAS(hh, key);
    if (!is_added) findings->is_full = true;
    return is_added;
}

/* Nodes */

enum kind { NODE, DIRECTORY, ENTRY, SECURITY_GROUP, GAP };

struct node_key {
    enum kind kind;
    uint32_t zero;
    const char *group;
    const struct cg_mapping *mapping;
    const char *member; /* NULL: by address */
    struct cg_addr at;
};

static struct cg_slice key_of_node(struct node_key *key, const struct cg_finding_source *source, const char *member,
                                   const struct cg_addr *at) {
    memset(key, 0, sizeof *key);
    key->kind = NODE;
    key->mapping = source->mapping;
    if (source->mapping == NULL) key->group = source->group;
    key->member = member;
    if (member == NULL) key->at = *at;
    return cg_slice_of(key, sizeof *key);
}

/* As it is found for the first time. */
static struct cg_found_node *new_node(struct cg_findings *findings, const struct cg_finding_source *source,
                                      const char *member, const struct cg_addr *at) {
    struct node_key key;
    struct cg_slice bytes = key_of_node(&key, source, member, at);
    struct cg_found_node *node = cg_arena_zalloc(&findings->arena, sizeof *node);
    if (!add(findings, bytes, node)) {
        findings->found.left_out++;
        return NULL;
    }
    node->group = source->group;
    node->mapping = source->mapping;
    node->member = member;
    node->at = *at;
    *findings->last_node = node;
    findings->last_node = &node->next;
    findings->found.node_count++;
    return node;
}

static struct cg_found_node *find_node(const struct cg_findings *findings, const struct cg_finding_source *source,
                                       const char *member, const struct cg_addr *at) {
    struct node_key key;
    return find(findings, key_of_node(&key, source, member, at));
}

/* Lists */

static bool is_separator(uint8_t c) { return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static struct cg_slice trim(struct cg_slice text, size_t len) {
    while (len > 0 && is_separator(text.data[len - 1])) len--;
    return cg_slice_of(text.data, len);
}

/* The whole links that it begins with. Of a beginning the last one may go on, unless something follows it. */
static struct cg_slice whole_links(struct cg_slice text, enum cg_finding_part part, bool *is_good) {
    struct cg_link_reader reader;
    struct cg_link link;
    size_t len = 0;
    cg_link_reader_init(&reader, text);
    while (cg_link_next(&reader, &link)) {
        if (part == CG_FINDING_ALL || reader.left.len > 0) len = text.len - reader.left.len;
    }
    *is_good = reader.err == 0;
    return trim(text, len);
}

static enum cg_found_state state_of(const struct cg_answer *answer, enum cg_finding_part part, bool is_good) {
    if (answer->code != CG_CODE(2, 5)) return CG_FOUND_REFUSED;
    if (part == CG_FINDING_BEGINNING) return CG_FOUND_CUT;
    return is_good ? CG_FOUND_WHOLE : CG_FOUND_UNREADABLE;
}

static bool has_room(const struct cg_findings *findings, size_t len) {
    return findings->arena.used + len + SMALL_LEFT <= findings->arena.max;
}

/* A list that does not fit is none: half of one would be taken for a whole one's beginning. */
static void take_links(struct cg_findings *findings, struct cg_found_node *node, struct cg_slice links) {
    struct cg_slice kept = has_room(findings, links.len) ? cg_arena_copy(&findings->arena, links) : CG_SLICE_NONE;
    if (kept.len < links.len) {
        findings->is_full = true;
        findings->found.left_out++;
        node->state = CG_FOUND_CUT;
    } else {
        node->links = kept;
    }
}

static void take_kid(struct cg_findings *findings, struct cg_found_node *node, const struct cg_answer *answer) {
    if (node->has_kid || !answer->has_kid) return;
    node->kid = cg_findings_keep(findings, answer->kid);
    node->has_kid = node->kid.len == answer->kid.len;
}

static void count(struct cg_findings *findings, const struct cg_found_node *node, int by) {
    struct cg_found *found = &findings->found;
    bool is_silent = node->state == CG_FOUND_SILENT, is_cut = node->state == CG_FOUND_CUT;
    found->silent += (uint32_t)(is_silent ? by : 0);
    found->answered += (uint32_t)(is_silent ? 0 : by);
    found->cut += (uint32_t)(is_cut ? by : 0);
}

static void fill(struct cg_findings *findings, struct cg_found_node *node, const struct cg_answer *answer,
                 enum cg_finding_part part) {
    bool is_list = cg_findings_are_links(answer), is_good = false;
    struct cg_slice links = is_list ? whole_links(answer->payload, part, &is_good) : CG_SLICE_NONE;
    node->at = answer->from;
    node->is_verified = answer->verified == CASTGATE_VERIFIED_SOURCE;
    node->code = answer->code;
    node->state = state_of(answer, part, is_good);
    take_kid(findings, node, answer);
    take_links(findings, node, links);
}

/* Whoever has said more, or all of it, has said it. */
static bool is_news(const struct cg_found_node *node, enum cg_finding_part part) {
    bool is_done = node->state == CG_FOUND_WHOLE || node->state == CG_FOUND_UNREADABLE || node->links.len > 0;
    return part == CG_FINDING_ALL ? node->state != CG_FOUND_WHOLE && node->state != CG_FOUND_UNREADABLE : !is_done;
}

struct cg_found_node *cg_findings_note_answer(struct cg_findings *findings, const struct cg_finding_source *source,
                                              const struct cg_answer *answer, enum cg_finding_part part) {
    const char *member = answer->member == NULL ? NULL : answer->member->name;
    struct cg_found_node *node = find_node(findings, source, member, &answer->from);
    if (node != NULL && !is_news(node, part)) return node;
    if (node != NULL) count(findings, node, -1);
    if (node == NULL) node = new_node(findings, source, member, &answer->from);
    if (node == NULL) return NULL;
    fill(findings, node, answer, part);
    count(findings, node, 1);
    return node;
}

void cg_findings_note_cut(struct cg_findings *findings, const struct cg_finding_source *source,
                          const struct cg_member *member, const struct cg_addr *from) {
    const char *name = member == NULL ? NULL : member->name;
    if (find_node(findings, source, name, from) != NULL) return;
    struct cg_found_node *node = new_node(findings, source, name, from);
    if (node == NULL) return;
    node->state = CG_FOUND_CUT;
    count(findings, node, 1);
}

void cg_findings_note_silent(struct cg_findings *findings, const struct cg_finding_source *source,
                             const struct cg_member *member) {
    struct cg_found_node *node = NULL;
    if (find_node(findings, source, member->name, &member->addr) != NULL) return;
    if (findings->silent_kept < CG_FINDINGS_SILENT_MAX) node = new_node(findings, source, member->name, &member->addr);
    findings->found.silent++;
    if (node == NULL) return;
    node->state = CG_FOUND_SILENT;
    findings->silent_kept++;
}

/* The others. They are the same where these texts are. */

static void put_text(struct cg_buf *to, struct cg_slice text) {
    cg_buf_put_decimal(to, text.len);
    cg_buf_put_u8(to, ' ');
    cg_buf_put_slice(to, text);
}

static void put_key(struct cg_buf *to, enum kind kind, struct cg_slice first, struct cg_slice second) {
    cg_buf_init(to, 0);
    cg_buf_put_u8(to, (uint8_t)kind);
    put_text(to, first);
    put_text(to, second);
}

/* *finding, where it is new, is to be filled in, of so many bytes. NULL: it is there, or there is no room. */
static void *add_new(struct cg_findings *findings, const struct cg_buf *key, size_t size) {
    struct cg_slice bytes = cg_buf_slice(key);
    if (key->failed || !has_room(findings, size)) {
        findings->is_full = true;
        return NULL;
    }
    void *finding = cg_arena_zalloc(&findings->arena, size);
    return add(findings, bytes, finding) ? finding : NULL;
}

struct cg_found_directory *cg_findings_note_directory(struct cg_findings *findings, enum cg_found_directory_kind kind,
                                                      struct cg_slice uri, const struct cg_addr *told_by) {
    const uint8_t kind_byte = (uint8_t)kind;
    struct cg_buf key;
    put_key(&key, DIRECTORY, uri, cg_slice_of(&kind_byte, 1));
    bool is_there = find(findings, cg_buf_slice(&key)) != NULL;
    bool is_beyond = !is_there && findings->found.directory_count >= CG_FINDINGS_DIRECTORIES_MAX;
    struct cg_found_directory *directory = is_there || is_beyond ? NULL : add_new(findings, &key, sizeof *directory);
    cg_buf_fini(&key);
    if (is_beyond) cg_findings_note_gap(findings, uri, "is beyond the directories that one discovery keeps");
    if (directory == NULL) return NULL;
    directory->kind = kind;
    directory->uri = cg_findings_keep(findings, uri);
    directory->told_by = *told_by;
    directory->state = CG_FOUND_UNASKED;
    *findings->last_directory = directory;
    findings->last_directory = &directory->next;
    findings->found.directory_count++;
    return directory;
}

static void fill_entry(struct cg_findings *findings, struct cg_found_entry *entry, const struct cg_found_entry *from,
                       const struct cg_found_directory *directory) {
    *entry = *from;
    entry->name = cg_findings_keep(findings, from->name);
    entry->base = cg_findings_keep(findings, from->base);
    entry->type = cg_findings_keep(findings, from->type);
    entry->sector = cg_findings_keep(findings, from->sector);
    entry->directory = directory;
    entry->next = NULL;
    *findings->last_entry = entry;
    findings->last_entry = &entry->next;
    findings->found.entry_count++;
}

static void put_entry_key(struct cg_buf *key, const struct cg_found_directory *directory,
                          const struct cg_found_entry *entry) {
    put_key(key, ENTRY, entry->name, entry->base);
    put_text(key, entry->sector);
    cg_buf_put(key, &directory->told_by, sizeof directory->told_by);
}

bool cg_findings_import(struct cg_findings *findings, struct cg_found_directory *directory,
                        const struct cg_found_entry *entry) {
    struct cg_buf key;
    put_entry_key(&key, directory, entry);
    bool is_there = find(findings, cg_buf_slice(&key)) != NULL;
    struct cg_found_entry *added = is_there ? NULL : add_new(findings, &key, sizeof *added);
    cg_buf_fini(&key);
    if (!is_there && added == NULL) findings->found.left_out++;
    if (added == NULL) return false;
    fill_entry(findings, added, entry, directory);
    directory->imported++;
    return true;
}

static void fill_security_group(struct cg_findings *findings, struct cg_found_security_group *group,
                                const struct cg_link *link, struct cg_slice join, const struct cg_addr *told_by) {
    group->name = attribute_of(findings, link, "sec-gp");
    group->application = attribute_of(findings, link, "app-gp");
    group->join = cg_findings_keep(findings, join);
    group->attributes = cg_findings_keep(findings, link->attributes);
    group->told_by = *told_by;
    *findings->last_security_group = group;
    findings->last_security_group = &group->next;
    findings->found.security_group_count++;
}

bool cg_findings_note_security_group(struct cg_findings *findings, const struct cg_link *link, struct cg_slice join,
                                     const struct cg_addr *told_by) {
    struct cg_buf key;
    put_key(&key, SECURITY_GROUP, join, CG_SLICE_NONE);
    bool is_there = find(findings, cg_buf_slice(&key)) != NULL;
    struct cg_found_security_group *group = is_there ? NULL : add_new(findings, &key, sizeof *group);
    cg_buf_fini(&key);
    if (!is_there && group == NULL) findings->found.left_out++;
    if (group != NULL) fill_security_group(findings, group, link, join, told_by);
    return group != NULL;
}

/* Gaps */

static struct cg_found_gap *new_gap(struct cg_findings *findings, struct cg_slice what, const char *why) {
    struct cg_buf key;
    put_key(&key, GAP, what, cg_slice_str(why));
    struct cg_found_gap *gap = key.failed ? NULL : find(findings, cg_buf_slice(&key));
    if (gap == NULL && (gap = cg_arena_zalloc(&findings->arena, sizeof *gap)) != NULL) {
        *gap = (struct cg_found_gap){.what = cg_findings_keep(findings, what), .why = why};
        *findings->last_gap = gap;
        findings->last_gap = &gap->next;
        if (key.failed || !add(findings, cg_buf_slice(&key), gap)) findings->is_full = true;
        findings->gaps_kept++;
    }
    if (gap == NULL) findings->is_full = true;
    cg_buf_fini(&key);
    return gap;
}

void cg_findings_note_gap(struct cg_findings *findings, struct cg_slice what, const char *why) {
    bool is_named = findings->gaps_kept < CG_FINDINGS_GAPS_MAX;
    struct cg_found_gap *gap = new_gap(findings, is_named ? what : CG_SLICE_NONE, why);
    findings->found.left_out++;
    if (gap != NULL) gap->count++;
}

/* Life */

void cg_findings_init(struct cg_findings *findings) {
    *findings = (struct cg_findings){0};
    cg_arena_init(&findings->arena, CG_FOUND_MAX, NULL);
    findings->last_node = &findings->found.nodes;
    findings->last_directory = &findings->found.directories;
    findings->last_entry = &findings->found.entries;
    findings->last_security_group = &findings->found.security_groups;
    findings->last_gap = &findings->found.gaps;
}

/* The items are the arena's. */
void cg_findings_fini(struct cg_findings *findings) {
    HASH_CLEAR(hh, findings->keys);
    cg_arena_fini(&findings->arena);
}

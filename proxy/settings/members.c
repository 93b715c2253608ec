/* The members known beforehand, and when a reply is complete. The hard thing: rules that count members mean nothing
 * where none are known, so the rule, the members and the word that they are all of them are checked together. */
#include "settings/draft.h"
#include "settings/rows.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether group requests get to the member; kept as that they do not. */
static void read_multicast(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row,
                           const json_t *json, void *target) {
    struct cg_member *member = target;
    (void)row;
    member->is_unicast_only = json_is_false(json);
    if (!json_is_boolean(json)) cg_mistake_at(reader, at, "must be true or false");
}

static void print_multicast(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_member *member = target;
    if (member->is_unicast_only) cg_out_bool(out, row->key, false);
}

static bool is_named_by_address(const struct cg_member *member) {
    char addr[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&member->addr, addr);
    return strcmp(addr, member->name) == 0;
}

static void print_name(struct cg_out *out, const struct cg_row *row, const void *target) {
    if (!is_named_by_address(target)) cg_print_text(out, row, target);
}

const struct cg_kind cg_kind_member_name = {.print = print_name, .json = "'type': 'string'"};

const struct cg_kind cg_kind_multicast = {
    .read = read_multicast, .print = print_multicast, .json = "'type': 'boolean'"};

/* The short form where the name is the address, and nothing else is said. */
static void print_member(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_member *member = target;
    char addr[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&member->addr, addr);
    if (is_named_by_address(member) && !member->is_unicast_only) {
        cg_out_text(out, row->key, addr);
    } else {
        cg_print_object(out, row, target);
    }
}

const struct cg_kind cg_kind_member = {.shape = CG_SHAPE_OBJECT, .print = print_member, .json = "'type': 'object'"};

static void print_members(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    if (draft->mapping.security != CG_SECURITY_GROUP) cg_print_list(out, row, target); /* else its group's peers */
}

const struct cg_kind cg_kind_members = {
    .shape = CG_SHAPE_LIST, .print = print_members, .json = "'type': 'array'", .max = "maxItems"};

static void print_membership(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    cg_out_text(out, row->key, draft->mapping.complete ? "complete" : "open");
}

const struct cg_kind cg_kind_membership = {.print = print_membership};

struct unique {
    struct cg_seen *names, *addresses;
};

static void read_address(struct cg_reader *reader, const struct cg_at *at, const char *text, struct unique *unique,
                         struct cg_member *member) {
    int err = cg_addr_parse(&member->addr, cg_slice_str(text), CG_COAP_PORT);
    if (err < 0 || member->addr.port == 0 || cg_addr_is_multicast(&member->addr) ||
        cg_addr_is_unspecified(&member->addr)) {
        cg_mistake_at(reader, at,
                      "must be a member's unicast address, such as \"192.0.2.7\" or \"[2001:db8::7]:5683\"");
        return;
    }
    if (member->addr.port == CG_COAPS_PORT) {
        cg_mistake_at(reader, at, "port 5684 belongs to DTLS, which members of a group do not answer on");
    }
    const char *first = cg_seen_before(reader, &unique->addresses, cg_slice_of(&member->addr, sizeof member->addr), at);
    if (first != NULL) cg_mistake_at(reader, at, "is the same address as %s", first);
    char emitted[CG_ADDR_TEXT_MAX];
    size_t len = cg_addr_emit(&member->addr, emitted);
    if (member->name == NULL) member->name = cg_keep_text(reader, cg_slice_of(emitted, len));
}

static void read_name(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct unique *unique,
                      struct cg_member *member) {
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    if (!cg_name_is_valid(text)) {
        cg_mistake_at(reader, at, "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins with a letter or digit");
        return;
    }
    const char *first = cg_seen_before(reader, &unique->names, cg_slice_str(text), at);
    if (first != NULL) cg_mistake_at(reader, at, "is the same name as %s", first);
    member->name = cg_keep_text(reader, cg_slice_str(text));
}

static void read_member_object(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                               struct unique *unique, struct cg_member *member) {
    struct cg_at child;
    cg_read_object(reader, at, &cg_member_rows, json, member);
    const json_t *name = cg_read_member(at, json, "name", &child);
    if (name != NULL) read_name(reader, &child, name, unique, member);
    const json_t *address = cg_read_member(at, json, "address", &child);
    if (address == NULL) {
        cg_mistake_at(reader, at, "needs \"address\"");
        return;
    }
    const char *text = cg_read_text(reader, &child, address);
    if (text != NULL) read_address(reader, &child, text, unique, member);
}

static void read_member(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct unique *unique,
                        struct cg_member *member) {
    if (json_is_string(json)) {
        read_address(reader, at, json_string_value(json), unique, member);
    } else if (json_is_object(json)) {
        read_member_object(reader, at, json, unique, member);
    } else {
        cg_mistake_at(reader, at, "must be an address such as \"192.0.2.7:5683\", or an object with \"address\"");
    }
}

static void read_list(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                      struct cg_mapping *mapping) {
    struct unique unique = {0};
    if (!cg_read_is_array(reader, at, json, cg_row_of(&cg_mapping_rows, "members")->max)) return;
    mapping->members = cg_keep_array(reader, json_array_size(json), sizeof *mapping->members);
    if (mapping->members == NULL) return;
    mapping->member_count = json_array_size(json);
    for (size_t i = 0; i < mapping->member_count; i++) {
        struct cg_at child = {.up = at, .index = i};
        read_member(reader, &child, json_array_get(json, i), &unique, &mapping->members[i]);
    }
    cg_seen_clear(&unique.names);
    cg_seen_clear(&unique.addresses);
}

/* That there are none follows from another mistake: in the list, in what secures the mapping, or in its keys. */
static bool lost_members(struct cg_reader *reader, const struct cg_draft *draft) {
    const struct cg_mapping *mapping = &draft->mapping;
    bool has_no_keys = mapping->security == CG_SECURITY_GROUP && (mapping->keys == NULL || !mapping->keys->has_keys);
    return has_no_keys || cg_is_mistaken(reader, draft->at, "members") || cg_is_mistaken(reader, draft->at, "security");
}

void cg_read_members(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_mapping *mapping = &draft->mapping;
    struct cg_at at;
    const json_t *json = cg_read_member(draft->at, draft->json, "members", &at);
    if (mapping->security == CG_SECURITY_GROUP) {
        if (json != NULL && !cg_is_mistaken(reader, draft->at, "security"))
            cg_mistake_at(reader, &at, "the members of a secured mapping are the peers of its security group");
        cg_fill_members(mapping);
    } else if (json != NULL) {
        read_list(reader, &at, json, mapping);
    }
    json = cg_read_member(draft->at, draft->json, "membership", &at);
    if (json == NULL) return;
    const char *text = json_is_string(json) ? json_string_value(json) : "";
    mapping->complete = strcmp(text, "complete") == 0;
    if (!mapping->complete && strcmp(text, "open") != 0) {
        cg_mistake_at(reader, &at, "must be \"complete\" or \"open\"");
    } else if (mapping->complete && mapping->member_count == 0 && !lost_members(reader, draft)) {
        cg_mistake_at(reader, &at, "\"complete\" says that \"members\" are all of them, but there are none");
    }
}

enum { DECIMALS_MAX = 8 };

/* A decimal fraction without sign or exponent, above 0 and at most 1, with at most DECIMALS_MAX decimals (so that it
 * can be printed as it is); 0 when it is none. */
static double fraction(const char *text) {
    size_t digits = strspn(text, "0123456789"), len = digits;
    if (digits > 0 && text[digits] == '.') {
        size_t more = strspn(text + digits + 1, "0123456789");
        if (more == 0 || more > DECIMALS_MAX) return 0;
        len += 1 + more;
    }
    if (digits == 0 || text[len] != '\0') return 0;
    double value = strtod(text, NULL);
    return value > 0 && value <= 1 ? value : 0;
}

static bool parse_finish(const char *text, struct cg_finish *finish) {
    uint64_t count = 0;
    *finish = (struct cg_finish){.rule = CG_FINISH_DEADLINE};
    if (strcmp(text, "deadline") == 0) return true;
    if (strcmp(text, "all") == 0) {
        finish->rule = CG_FINISH_ALL;
        return true;
    }
    if (strncmp(text, "quorum:", 7) == 0) {
        *finish = (struct cg_finish){.rule = CG_FINISH_QUORUM, .quorum = fraction(text + 7)};
        return finish->quorum > 0;
    }
    if (strncmp(text, "count:", 6) != 0) return false;
    if (cg_decimal_parse(cg_slice_str(text + 6), UINT32_MAX, &count) < 0) return false;
    *finish = (struct cg_finish){.rule = CG_FINISH_COUNT, .count = (uint32_t)count};
    return count > 0;
}

static void print_finish(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    const struct cg_finish *finish = &draft->mapping.finish;
    char text[48] = "deadline", number[32];
    switch (finish->rule) {
    case CG_FINISH_DEADLINE: break;
    case CG_FINISH_ALL: strcpy(text, "all"); break;
    case CG_FINISH_QUORUM:
        cg_shortest_decimal(number, finish->quorum); /* has few decimals */
        snprintf(text, sizeof text, "quorum:%s", number);
        break;
    case CG_FINISH_COUNT: snprintf(text, sizeof text, "count:%u", (unsigned)finish->count); break;
    }
    cg_out_text(out, row->key, text);
}

const struct cg_kind cg_kind_finish = {.print = print_finish};

static void check_finish(struct cg_reader *reader, const struct cg_at *at, const struct cg_draft *draft) {
    const struct cg_mapping *mapping = &draft->mapping;
    const struct cg_finish *finish = &mapping->finish;
    bool is_explained = cg_is_mistaken(reader, draft->at, "membership");
    if (finish->rule == CG_FINISH_ALL && !mapping->complete && !is_explained) {
        cg_mistake_at(reader, at, "\"all\" needs \"members\" and \"membership\": \"complete\"");
    } else if (finish->rule == CG_FINISH_QUORUM && mapping->member_count == 0 && !is_explained &&
               !lost_members(reader, draft)) {
        cg_mistake_at(reader, at, "a quorum needs \"members\" to be a part of");
    } else if (finish->rule == CG_FINISH_COUNT && finish->count > mapping->max_answers) {
        cg_mistake_at(reader, at, "is above \"max_answers\", which is %u", (unsigned)mapping->max_answers);
    }
}

void cg_read_finish(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_mapping *mapping = &draft->mapping;
    struct cg_at at;
    const json_t *json = cg_read_member(draft->at, draft->json, "finish", &at);
    mapping->finish.rule = mapping->complete ? CG_FINISH_ALL : CG_FINISH_DEADLINE;
    if (json == NULL) return;
    if (!json_is_string(json) || !parse_finish(json_string_value(json), &mapping->finish)) {
        cg_mistake_at(reader, &at,
                      "must be \"all\", \"deadline\", \"quorum:0.9\" (above 0, at most 1) or \"count:12\"");
        return;
    }
    check_finish(reader, &at, draft);
}

/* Security groups, and what a mapping says of its security. The hard thing: whose keys are refused, and why, must be
 * said of the right file, so a key file's mistakes are told at the setting that names it, with the pointer inside the
 * file. */
#include "settings/draft.h"
#include "settings/request_size.h"
#include "settings/rows.h"
#include "settings/security_group.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

/* Key files */

static struct cg_security_group *load_keys(struct cg_reader *reader, const struct cg_at *at, const char *file,
                                           enum cg_group_file kind) {
    struct cg_security_group *keys = NULL;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_load(file, kind, reader->config->key_files_may_be_shared, &keys, &mistakes);
    if (err == CG_E_NO_MEMORY) reader->out_of_memory = true;
    for (const struct cg_mistake *it = mistakes.first; it != NULL; it = it->next) {
        if (it->pointer[0] == 0) {
            cg_mistake_at(reader, at, "%s: %s", file, it->message);
        } else {
            cg_mistake_at(reader, at, "%s at %s: %s", file, it->pointer, it->message);
        }
    }
    cg_mistakes_fini(&mistakes);
    return keys;
}

static struct cg_security_group *read_keys(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                                           const char **file, enum cg_group_file kind) {
    cg_kind_file.read(reader, at, &(const struct cg_row){.offset = 0}, json, file);
    return *file == NULL ? NULL : load_keys(reader, at, *file, kind);
}

/* Whether castgate-keys calls the keys after those in `file` so: gateway.next.json comes after gateway.json. */
static bool is_successor(const char *next, const char *file) {
    static const char ending[] = ".json", next_ending[] = ".next.json";
    size_t len = strlen(file), stem = len < sizeof ending - 1 ? 0 : len - (sizeof ending - 1);
    return strcmp(file + stem, ending) == 0 && strncmp(next, file, stem) == 0 && strcmp(next + stem, next_ending) == 0;
}

/* Without the file no rekey is prepared, as long as its name cannot be a slip: the settings may then stay as they are
 * from one rekey to the next. */
static void read_next(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                      struct cg_security_keys *entry) {
    cg_kind_file.read(reader, at, &(const struct cg_row){.offset = 0}, json, &entry->next_file);
    if (entry->next_file == NULL) return;
    bool may_lack = entry->file != NULL && is_successor(entry->next_file, entry->file);
    if (may_lack && access(entry->next_file, F_OK) != 0 && errno == ENOENT) return;
    entry->next_keys = load_keys(reader, at, entry->next_file, CG_GROUP_FILE_MEMBER);
}

static void read_entry(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                       struct cg_security_keys *entry) {
    struct cg_at child;
    if (json_is_string(json)) {
        entry->keys = read_keys(reader, at, json, &entry->file, CG_GROUP_FILE_MEMBER);
        return;
    }
    if (!cg_read_object(reader, at, &cg_security_group_rows, json, entry)) return;
    const json_t *file = cg_read_member(at, json, "file", &child);
    if (file == NULL) {
        cg_mistake_missing(reader, at, "file", "needs \"file\", the security group file in use");
    } else {
        entry->keys = read_keys(reader, &child, file, &entry->file, CG_GROUP_FILE_MEMBER);
    }
    const json_t *next = cg_read_member(at, json, "next", &child);
    if (next != NULL && !json_is_null(next)) read_next(reader, &child, next, entry);
}

/* The members of a security group, known by their credentials: one list for all its mappings. */

static const char *member_name(struct cg_reader *reader, const struct cg_security_party *party) {
    if (party->name != NULL) return cg_keep_text(reader, cg_slice_str(party->name));
    char hex[2 * CG_OSCORE_ID_MAX + 1];
    sodium_bin2hex(hex, sizeof hex, party->id.data, party->id.len);
    return cg_keep_text(reader, cg_slice_str(hex));
}

static struct cg_slice identity_of(struct cg_reader *reader, const struct cg_security_party *party) {
    uint8_t *hash = cg_keep_array(reader, 1, crypto_hash_sha256_BYTES);
    if (hash == NULL) return CG_SLICE_NONE;
    crypto_hash_sha256(hash, party->cred.data, party->cred.len);
    return cg_slice_of(hash, crypto_hash_sha256_BYTES);
}

static void make_members(struct cg_reader *reader, const struct cg_security_group *keys, struct cg_members *members) {
    members->list = cg_keep_array(reader, keys->peer_count, sizeof *members->list);
    if (members->list == NULL) return;
    members->count = keys->peer_count;
    for (size_t i = 0; i < keys->peer_count; i++) {
        struct cg_member *member = &members->list[i];
        member->name = member_name(reader, &keys->peers[i]);
        member->addr = keys->peers[i].address;
        member->is_unicast_only = keys->peers[i].is_unicast_only;
        member->identity = identity_of(reader, &keys->peers[i]);
    }
}

struct cg_security_keys *cg_add_security_group(struct cg_reader *reader, const char *name) {
    struct cg_config *config = reader->config;
    struct cg_security_keys *entry = &config->security_groups[config->security_group_count];
    *entry = (struct cg_security_keys){.name = cg_keep_text(reader, cg_slice_str(name))};
    if (entry->name == NULL) return NULL;
    config->security_group_count++;
    HASH_ADD_KEYPTR(hh, config->security_groups_by_name, entry->name, strlen(entry->name), entry);
    if (!CG_HASH_HAS(hh, entry)) reader->out_of_memory = true;
    return entry;
}

static bool has_group_mode(const struct cg_security_group *keys) {
    return keys != NULL && keys->alg_group_enc != CG_COSE_NONE;
}

void cg_fill_security_group(struct cg_reader *reader, struct cg_security_keys *entry) {
    entry->has_group_mode = has_group_mode(entry->keys) || has_group_mode(entry->next_keys);
    entry->has_keys = entry->keys != NULL;
    if (!entry->has_keys) return;
    entry->overhead = cg_protection_overhead(entry->keys);
    make_members(reader, entry->keys, &entry->members);
}

bool cg_check_security_group_name(struct cg_reader *reader, const struct cg_at *at, const char *name) {
    bool is_good = cg_name_is_valid(name) && strcmp(name, "none") != 0 && strcmp(name, "relay") != 0;
    if (!is_good)
        cg_mistake_at(reader, at, "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and neither \"none\" nor \"relay\"");
    return is_good;
}

void cg_read_security_groups(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    struct cg_config *config = reader->config;
    size_t max = (size_t)cg_row_of(&cg_document_rows, "security_groups")->max;
    if (!json_is_object(json) || json_object_size(json) > max) {
        cg_mistake_at(reader, at, "must be an object of at most %zu security groups by name", max);
        return;
    }
    size_t count = json_object_size(json) + reader->room[CG_ITEM_SECURITY_GROUP];
    config->free_keys = cg_security_group_free;
    config->security_groups = cg_keep_array(reader, count, sizeof *config->security_groups);
    if (config->security_groups == NULL) return;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value) {
        struct cg_at child = {.up = at, .key = name};
        struct cg_security_keys *entry = cg_add_security_group(reader, name);
        if (entry == NULL) return;
        if (!cg_check_security_group_name(reader, &child, name)) continue;
        read_entry(reader, &child, value, entry);
        cg_fill_security_group(reader, entry);
    }
}

/* A mapping's security */

static const struct cg_security_keys *find_group(const struct cg_config *config, const char *name) {
    struct cg_security_keys *entry;
    HASH_FIND_STR(config->security_groups_by_name, name, entry);
    return entry;
}

static void print_check_signature(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    if (draft->mapping.security == CG_SECURITY_RELAY) cg_print_text(out, row, target);
}

const struct cg_kind cg_kind_check_signature = {.print = print_check_signature, .json = "'type': ['string', 'null']"};

static void print_security(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_draft *draft = target;
    switch (draft->mapping.security) {
    case CG_SECURITY_NONE: cg_out_text(out, row->key, "none"); break;
    case CG_SECURITY_GROUP: cg_out_text(out, row->key, draft->mapping.keys->name); break;
    case CG_SECURITY_RELAY: cg_out_text(out, row->key, "relay"); break;
    }
}

const struct cg_kind cg_kind_security = {.print = print_security, .json = "'type': 'string'"};

static void read_check_signature(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_at at;
    const json_t *json = cg_read_member(draft->at, draft->json, "check_signature", &at);
    if (json == NULL || json_is_null(json) || reader->origin == CG_ORIGIN_STORE) return;
    struct cg_mapping *mapping = &draft->mapping;
    if (mapping->security != CG_SECURITY_RELAY) {
        if (cg_is_mistaken(reader, draft->at, "security")) return;
        cg_mistake_at(reader, &at, "only a mapping with \"security\": \"relay\" checks signatures of others");
        return;
    }
    reader->config->free_keys = cg_security_group_free;
    mapping->checker_keys = read_keys(reader, &at, json, &mapping->check_signature, CG_GROUP_FILE_CHECKER);
}

void cg_read_security(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_mapping *mapping = &draft->mapping;
    struct cg_at at;
    const json_t *json = cg_read_member(draft->at, draft->json, "security", &at);
    if (json == NULL) {
        cg_mistake_missing(reader, draft->at, "security",
                           "a mapping needs \"security\": a security group's name, or \"none\" written out");
        return;
    }
    const char *text = cg_read_text(reader, &at, json);
    if (text == NULL) return;
    if (strcmp(text, "relay") == 0) {
        mapping->security = CG_SECURITY_RELAY;
    } else if (strcmp(text, "none") != 0) {
        mapping->security = CG_SECURITY_GROUP;
        mapping->keys = find_group(reader->config, text);
        if (mapping->keys == NULL && !cg_is_undefined_again(reader, "security_groups", text, &at)) {
            cg_mistake_at(reader, &at, "the security group \"%.64s\" is not %s", text,
                          reader->origin == CG_ORIGIN_FILE ? "in \"security_groups\"" : "there, or not in use");
        }
    }
    read_check_signature(reader, draft);
}

void cg_fill_members(struct cg_mapping *mapping) {
    const struct cg_members *members = mapping->keys == NULL ? NULL : &mapping->keys->members;
    if (members == NULL || members->count == 0) return;
    mapping->members = members->list;
    mapping->member_count = members->count;
    mapping->roster = members;
}

/* The bodies of requests about security groups, read. What is wrong with a key's value is said with its pointer. */
#include "manage/group_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/document.h"
#include "settings/reader.h"

/* ---- Keys ---- */

int cg_group_mistake(struct cg_group_request *request, const char *pointer, const char *sentence) {
    cg_mistakes_add(&request->mistakes, pointer, "%s", sentence);
    return cg_problem_set(&request->problem, CG_E_INVALID, "%s: %s", pointer[0] == '\0' ? "the body" : pointer,
                          sentence);
}

/* "/key", for a mistake at it. */
static int mistake_at(struct cg_group_request *request, const char *key, const char *sentence) {
    char pointer[CG_NAME_MAX + 2];
    (void)snprintf(pointer, sizeof pointer, "/%s", key);
    return cg_group_mistake(request, pointer, sentence);
}

static const char *const shown_keys[] = {"source",     "state",    "reason",    "revision", "changed",
                                         "changed_by", "warnings", "effective", NULL};
static const char *const import_keys[] = {"name",          "common",     "self",    "peers",
                                          "group_manager", "gateway",    "members", "member_peers",
                                          "given_ids",     "never_sent", "warm",    NULL};
static const char *const create_keys[] = {"name",          "members",
                                          "addresses",     "warm",
                                          "alg_aead",      "alg_group_enc",
                                          "alg_signature", "alg_pairwise_key_agreement",
                                          "hkdf",          "countersign_elements",
                                          "member_peers",  NULL};
static const char *const pending_keys[] = {"name", "pending", "group_manager", "app_group", "security_group",
                                           "warm", NULL};
static const char *const change_keys[] = {"name",         "warm",           "keys",      "next",    "members",
                                          "member_count", "file",           "next_file", "pending", "group_manager",
                                          "app_group",    "security_group", NULL};
static const char *const join_keys[] = {"name", "address", "multicast", "rekey", "id", NULL};
static const char *const prepare_keys[] = {"evict", "new_sender_id", "replace", NULL};
static const char *const prepare_import_keys[] = {"name",          "common",     "self",    "peers",
                                                  "group_manager", "gateway",    "members", "member_peers",
                                                  "given_ids",     "never_sent", "replace", NULL};
static const char *const activate_keys[] = {"force", NULL};

static const char *const *const form_keys[] = {[CG_GROUP_FORM_CREATE] = create_keys,
                                               [CG_GROUP_FORM_IMPORT] = import_keys,
                                               [CG_GROUP_FORM_PENDING] = pending_keys,
                                               [CG_GROUP_FORM_CHANGE] = change_keys,
                                               [CG_GROUP_FORM_JOIN] = join_keys,
                                               [CG_GROUP_FORM_PREPARE] = prepare_keys,
                                               [CG_GROUP_FORM_PREPARE_IMPORT] = prepare_import_keys,
                                               [CG_GROUP_FORM_ACTIVATE] = activate_keys};

static bool is_one_of(const char *const *keys, const char *key) {
    for (; *keys != NULL; keys++)
        if (strcmp(*keys, key) == 0) return true;
    return false;
}

int cg_group_check_keys(struct cg_group_request *request, enum cg_group_form form) {
    const char *key;
    json_t *value;
    if (request->body == NULL) return CG_OK; /* where none need come */
    if (!json_is_object(request->body)) return cg_group_mistake(request, "", "must be an object");
    json_object_foreach(request->body, key, value) {
        if (is_one_of(form_keys[form], key) || is_one_of(shown_keys, key)) continue;
        return mistake_at(request, key, "is no key that is known here");
    }
    return CG_OK;
}

void cg_group_drop_shown(json_t *body) {
    for (size_t i = 0; shown_keys[i] != NULL; i++) (void)json_object_del(body, shown_keys[i]);
}

int cg_group_check_flag(struct cg_group_request *request, const char *key) {
    const json_t *json = json_object_get(request->body, key);
    return json == NULL || json_is_boolean(json) ? CG_OK : mistake_at(request, key, "must be true or false");
}

bool cg_group_says(const struct cg_group_request *request, const char *key) {
    return json_is_true(json_object_get(request->body, key));
}

bool cg_group_has_keys(const struct cg_group_request *request) {
    return json_object_get(request->body, "common") != NULL;
}

int cg_group_check_text(struct cg_group_request *request, const char *key) {
    const char *text = json_string_value(json_object_get(request->body, key));
    if (text == NULL || text[0] == '\0' || strlen(text) > 1024)
        return mistake_at(request, key, "must be a text of 1 to 1024 bytes");
    return CG_OK;
}

int cg_group_need_never_sent(struct cg_group_request *request) {
    if (cg_group_says(request, "never_sent")) return CG_OK;
    return cg_group_mistake(request, "/never_sent",
                            "must be true: whoever brings keys says that the gateway's has never sent, from here or "
                            "anywhere, since its sequence numbers begin at 0 and none may come twice; if that is not "
                            "certain, " CG_STORE_WAYS_OUT);
}

int cg_group_read_name(struct cg_group_request *request) {
    const json_t *json = json_object_get(request->body, "name");
    const char *name = json_string_value(json);
    if (json == NULL && request->group[0] != '\0') return CG_OK;
    if (name == NULL || !cg_name_is_valid(name) || strcmp(name, "none") == 0 || strcmp(name, "relay") == 0)
        return cg_group_mistake(request, "/name",
                                "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and neither \"none\" nor \"relay\"");
    if (request->group[0] != '\0' && strcmp(request->group, name) != 0)
        return cg_group_mistake(request, "/name", "is another name than the path has");
    (void)snprintf(request->group, sizeof request->group, "%s", name);
    return CG_OK;
}

/* ---- What a new group shall be ---- */

static int read_algorithm(struct cg_group_request *request, const char *key, int *alg) {
    const json_t *json = json_object_get(request->body, key);
    if (json == NULL) return CG_OK;
    json_int_t number = json_integer_value(json);
    if (json_is_null(json)) {
        *alg = CG_COSE_NONE;
        return CG_OK;
    }
    if (number == 0 || number < INT32_MIN || number > INT32_MAX)
        return mistake_at(request, key, "must be the number of a COSE algorithm, or null where it is not used");
    *alg = (int)number;
    return CG_OK;
}

/* One of two words; *is_second only where the key is there. */
static int read_word(struct cg_group_request *request, const char *key, const char *first, const char *second,
                     bool *is_there, bool *is_second) {
    const json_t *json = json_object_get(request->body, key);
    const char *text = json_string_value(json);
    char sentence[64];
    (void)snprintf(sentence, sizeof sentence, "must be \"%s\" or \"%s\"", first, second);
    *is_there = json != NULL;
    *is_second = text != NULL && strcmp(text, second) == 0;
    bool is_good = json == NULL || *is_second || (text != NULL && strcmp(text, first) == 0);
    return is_good ? CG_OK : mistake_at(request, key, sentence);
}

static int read_hkdf(struct cg_group_request *request, struct cg_keyring_options *ring) {
    bool is_there, is_512;
    int err = read_word(request, "hkdf", "sha256", "sha512", &is_there, &is_512);
    ring->hkdf = is_512 ? CG_SHA512 : CG_SHA256;
    if (is_512) ring->alg_agreement = CG_COSE_ECDH_SS_HKDF_512;
    return err;
}

static int read_peers(struct cg_group_request *request, struct cg_keyring_options *ring) {
    bool is_there, is_gateway;
    int err = read_word(request, "member_peers", "all", "gateway", &is_there, &is_gateway);
    if (is_there) ring->peers = is_gateway ? CG_KEYS_PEERS_GATEWAY : CG_KEYS_PEERS_ALL;
    return err;
}

static int read_elements(struct cg_group_request *request, struct cg_keyring_options *ring) {
    const json_t *json = json_object_get(request->body, "countersign_elements");
    json_int_t count = json == NULL ? 5 : json_integer_value(json);
    if (count != 4 && count != 5)
        return cg_group_mistake(request, "/countersign_elements",
                                "must be 5 or, for members that take RFC 9338 3.3 literally, 4");
    ring->countersign_elements = (unsigned)count;
    return CG_OK;
}

static int read_algorithms(struct cg_group_request *request, struct cg_keyring_options *ring) {
    int err = read_hkdf(request, ring);
    if (err == CG_OK) err = read_algorithm(request, "alg_group_enc", &ring->alg_group_enc);
    if (err == CG_OK) err = read_algorithm(request, "alg_signature", &ring->alg_signature);
    if (err == CG_OK) err = read_algorithm(request, "alg_pairwise_key_agreement", &ring->alg_agreement);
    if (err == CG_OK && ring->alg_agreement == CG_COSE_NONE) ring->alg_aead = CG_COSE_NONE;
    if (err == CG_OK) err = read_algorithm(request, "alg_aead", &ring->alg_aead);
    if (err == CG_OK) err = read_elements(request, ring);
    return err == CG_OK ? read_peers(request, ring) : err;
}

/* What is wrong with its values is found when the whole group is read; here only that they are texts. */
int cg_group_read_member(struct cg_group_request *request, const json_t *json, const char *pointer,
                         struct cg_keyring_member *member) {
    const json_t *name = json_object_get(json, "name"), *address = json_object_get(json, "address"),
                 *multicast = json_object_get(json, "multicast");
    bool is_good = json_is_object(json) && (name == NULL || json_is_string(name)) &&
                   (address == NULL || json_is_null(address) || json_is_string(address)) &&
                   (multicast == NULL || json_is_boolean(multicast));
    if (!is_good)
        return cg_group_mistake(request, pointer, "must be an object with \"name\" and \"address\", texts, or without");
    *member = (struct cg_keyring_member){.name = json_string_value(name),
                                         .address = json_string_value(address),
                                         .is_unicast_only = json_is_false(multicast)};
    return CG_OK;
}

static int read_each(struct cg_group_request *request, const json_t *list, struct cg_group_wishes *wishes) {
    size_t count = json_array_size(list);
    wishes->each = calloc(count + 1, sizeof *wishes->each);
    if (wishes->each == NULL) return cg_problem_no_memory(&request->problem);
    wishes->ring.each = wishes->each;
    wishes->ring.members = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        char pointer[32];
        (void)snprintf(pointer, sizeof pointer, "/members/%zu", i);
        int err = cg_group_read_member(request, json_array_get(list, i), pointer, &wishes->each[i]);
        if (err < 0) return err;
    }
    return CG_OK;
}

static int read_first(struct cg_group_request *request, struct cg_keyring_options *ring) {
    const json_t *json = json_object_get(request->body, "addresses");
    struct cg_addr *first = &ring->first;
    if (json == NULL) return CG_OK;
    bool is_good = json_is_string(json) && ring->each == NULL &&
                   cg_addr_parse(first, cg_slice_str(json_string_value(json)), CG_COAP_PORT) == CG_OK &&
                   first->port != 0 && !cg_addr_is_multicast(first);
    return is_good ? CG_OK
                   : cg_group_mistake(request, "/addresses",
                                      "must be the first member's unicast address, which the others follow, and goes "
                                      "with a number of members only");
}

static int read_members(struct cg_group_request *request, struct cg_group_wishes *wishes) {
    const json_t *json = json_object_get(request->body, "members");
    json_int_t count = json_is_array(json) ? (json_int_t)json_array_size(json) : json_integer_value(json);
    if (count < (json_is_array(json) ? 0 : 1) || count > CG_KEYS_MEMBERS_MAX ||
        !(json_is_array(json) || json_is_integer(json)))
        return cg_group_mistake(request, "/members", "must be an array of members, or how many (1 to 10000)");
    wishes->ring.members = (uint32_t)count;
    int err = json_is_array(json) ? read_each(request, json, wishes) : CG_OK;
    return err == CG_OK ? read_first(request, &wishes->ring) : err;
}

int cg_group_read_wishes(struct cg_group_request *request, struct cg_group_wishes *wishes) {
    *wishes = (struct cg_group_wishes){.ring = CG_KEYRING_DEFAULTS};
    int err = read_algorithms(request, &wishes->ring);
    if (err == CG_OK) err = read_members(request, wishes);
    wishes->ring.name = request->group;
    return err;
}

void cg_group_wishes_fini(struct cg_group_wishes *wishes) { free(wishes->each); }

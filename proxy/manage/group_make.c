/* What a request about a security group comes to: its body read, keys made, changed or taken in, and sealed. The hard
 * thing: nothing may be given out twice, so that whatever was prepared before counts as given, also when it was given
 * up: its Gid, and the gateway's Sender ID. */
#include <strings.h>

#include "base/text.h"
#include "keys/document.h"
#include "manage/group_work.h"
#include "settings/reader.h"
#include "settings/json_load.h"
#include "settings/secret.h"

/* ---- Bodies ---- */

int cg_group_mistake(struct cg_group_request *request, const char *pointer, const char *sentence) {
    cg_mistakes_add(&request->mistakes, pointer, "%s", sentence);
    return cg_problem_set(&request->problem, CG_E_INVALID, "%s: %s", pointer[0] == '\0' ? "the body" : pointer,
                          sentence);
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

static bool is_one_of(const char *const *keys, const char *key) {
    for (; *keys != NULL; keys++)
        if (strcmp(*keys, key) == 0) return true;
    return false;
}

/* Whether the body has no other keys; what is shown may be sent back. */
static int check_keys(struct cg_group_request *request, const char *const *keys) {
    const char *key;
    json_t *value;
    if (request->body == NULL) return CG_OK; /* where none need come */
    if (!json_is_object(request->body)) return cg_group_mistake(request, "", "must be an object");
    json_object_foreach(request->body, key, value) {
        char pointer[CG_NAME_MAX + 2];
        if (is_one_of(keys, key) || is_one_of(shown_keys, key)) continue;
        (void)snprintf(pointer, sizeof pointer, "/%s", key);
        return cg_group_mistake(request, pointer, "is no key that is known here");
    }
    return CG_OK;
}

/* What is not said is `otherwise`. */
static int read_flag(struct cg_group_request *request, const char *key, bool otherwise, bool *flag) {
    const json_t *json = json_object_get(request->body, key);
    char pointer[CG_NAME_MAX + 2];
    (void)snprintf(pointer, sizeof pointer, "/%s", key);
    *flag = json == NULL ? otherwise : json_is_true(json);
    return json == NULL || json_is_boolean(json) ? CG_OK : cg_group_mistake(request, pointer, "must be true or false");
}

static bool says(const struct cg_group_request *request, const char *key) {
    return json_is_true(json_object_get(request->body, key));
}

static int need_never_sent(struct cg_group_request *request) {
    if (says(request, "never_sent")) return CG_OK;
    return cg_group_mistake(request, "/never_sent",
                            "must be true: whoever brings keys says that the gateway's has never sent, from here or "
                            "anywhere, since its sequence numbers begin at 0 and none may come twice; if that is not "
                            "certain, " CG_STORE_WAYS_OUT);
}

/* ---- The group's item ---- */

static int no_memory(struct cg_group_work *work) { return cg_problem_no_memory(&work->request->problem); }

json_t *cg_group_document(const struct cg_item *item) { return cg_json_load(item->document, 0, NULL); }

static bool set_warm(json_t *document, const struct cg_group_request *request) {
    json_t *warm = json_object_get(request->body, "warm");
    return warm == NULL || json_object_set(document, "warm", warm) == 0;
}

static const char *gid_of(const json_t *keys) { return cg_keys_text(keys, "gid"); }

/* The document that is to be, as it is or new. */
static int begin_document(struct cg_group_work *work) {
    work->document = work->group == NULL ? json_object() : cg_group_document(work->group);
    return work->document == NULL ? no_memory(work) : CG_OK;
}

/* The keys that were made become those of that name, which are "keys" or "next". */
static int keep_keys(struct cg_group_work *work, const char *as) {
    json_t *document = work->document;
    bool is_next = strcmp(as, "next") == 0, is_latest = is_next || work->current == NULL;
    bool ok = cg_keys_set(document, as, json_string(work->made.name)) &&
              (!is_latest || cg_keys_set(document, "latest_gid", json_string(gid_of(work->made.document)))) &&
              set_warm(document, work->request);
    (void)snprintf(work->keys, sizeof work->keys, "%s", work->made.name);
    work->epoch = is_next ? CG_KEYRING_NEXT : CG_KEYRING_CURRENT;
    return ok ? CG_OK : no_memory(work);
}

/* Seals keys for an item of that name; NULL: a new one. */
static int seal_keys(struct cg_group_work *work, const struct cg_seal *seal, const char *name, const json_t *keys) {
    struct cg_group_request *request = work->request;
    int err = cg_sealed_keys_make(&work->made, request->group, name, keys, seal, &request->mistakes, &request->problem);
    work->has_made = err == CG_OK;
    return err;
}

/* ---- Taking in ---- */

/* The body as the security group file that it has in it. */
static json_t *file_in(const json_t *body) {
    static const char *const ours[] = {"never_sent", "warm", "replace"};
    json_t *file = cg_json_copy((json_t *)body);
    if (file == NULL) return NULL;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) (void)json_object_del(file, ours[i]);
    for (size_t i = 0; shown_keys[i] != NULL; i++) (void)json_object_del(file, shown_keys[i]);
    if (json_object_get(file, "gateway") == NULL) (void)json_object_del(file, "name"); /* the whole group's has one */
    return file;
}

static int take_in(struct cg_group_work *work, const struct cg_seal *seal) {
    int err = need_never_sent(work->request);
    if (err < 0) return err;
    json_t *file = file_in(work->request->body);
    err = file == NULL ? no_memory(work) : seal_keys(work, seal, NULL, file);
    json_decref(file);
    return err;
}

/* ---- Making ---- */

struct wishes {
    struct cg_keyring_options ring;
    struct cg_keyring_member *each;
};

static int read_algorithm(struct cg_group_request *request, const char *key, int *alg) {
    const json_t *json = json_object_get(request->body, key);
    char pointer[CG_NAME_MAX + 2];
    (void)snprintf(pointer, sizeof pointer, "/%s", key);
    if (json == NULL) return CG_OK;
    json_int_t number = json_integer_value(json);
    if (json_is_null(json)) {
        *alg = CG_COSE_NONE;
        return CG_OK;
    }
    if (number == 0 || number < INT32_MIN || number > INT32_MAX)
        return cg_group_mistake(request, pointer,
                                "must be the number of a COSE algorithm, or null where it is not used");
    *alg = (int)number;
    return CG_OK;
}

/* One of two words; *is_second only where the key is there. */
static int read_word(struct cg_group_request *request, const char *key, const char *first, const char *second,
                     bool *is_there, bool *is_second) {
    const json_t *json = json_object_get(request->body, key);
    const char *text = json_string_value(json);
    char pointer[CG_NAME_MAX + 2], sentence[64];
    (void)snprintf(pointer, sizeof pointer, "/%s", key);
    (void)snprintf(sentence, sizeof sentence, "must be \"%s\" or \"%s\"", first, second);
    *is_there = json != NULL;
    *is_second = text != NULL && strcmp(text, second) == 0;
    bool is_good = json == NULL || *is_second || (text != NULL && strcmp(text, first) == 0);
    return is_good ? CG_OK : cg_group_mistake(request, pointer, sentence);
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
static int read_member(struct cg_group_request *request, const json_t *json, const char *pointer,
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

static int read_each(struct cg_group_request *request, const json_t *list, struct wishes *wishes) {
    size_t count = json_array_size(list);
    wishes->each = calloc(count + 1, sizeof *wishes->each);
    if (wishes->each == NULL) return cg_problem_no_memory(&request->problem);
    wishes->ring.each = wishes->each;
    wishes->ring.members = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        char pointer[32];
        (void)snprintf(pointer, sizeof pointer, "/members/%zu", i);
        int err = read_member(request, json_array_get(list, i), pointer, &wishes->each[i]);
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

static int read_members(struct cg_group_request *request, struct wishes *wishes) {
    const json_t *json = json_object_get(request->body, "members");
    json_int_t count = json_is_array(json) ? (json_int_t)json_array_size(json) : json_integer_value(json);
    if (count < (json_is_array(json) ? 0 : 1) || count > CG_KEYS_MEMBERS_MAX ||
        !(json_is_array(json) || json_is_integer(json)))
        return cg_group_mistake(request, "/members", "must be an array of members, or how many (1 to 10000)");
    wishes->ring.members = (uint32_t)count;
    int err = json_is_array(json) ? read_each(request, json, wishes) : CG_OK;
    return err == CG_OK ? read_first(request, &wishes->ring) : err;
}

/* Where a mistake of what was made came from in the body: "/common/alg_aead" from "/alg_aead". */
static void retell(struct cg_group_request *request, const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *it = mistakes->first; it != NULL; it = it->next) {
        const char *pointer = it->pointer;
        if (strncmp(pointer, "/common/", 8) == 0) pointer += 7;
        cg_mistakes_add(&request->mistakes, pointer, "%s", it->message);
    }
}

static int seal_what_was_made(struct cg_group_work *work, const struct cg_seal *seal, const char *name,
                              const json_t *keys) {
    struct cg_group_request *request = work->request;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_sealed_keys_make(&work->made, request->group, name, keys, seal, &mistakes, &request->problem);
    work->has_made = err == CG_OK;
    retell(request, &mistakes);
    cg_mistakes_fini(&mistakes);
    return err;
}

/* The keyring speaks of options as the command line writes them. */
static int tell_keyring(struct cg_group_work *work, int err, const char *error) {
    struct cg_problem *problem = &work->request->problem;
    if (err == CG_E_NO_MEMORY) return cg_problem_no_memory(problem);
    if (err == CG_E_BAD_REQUEST)
        return cg_problem_set(problem, CG_E_INVALID, "%s", strncmp(error, "--", 2) == 0 ? error + 2 : error);
    return err < 0 ? cg_problem_set(problem, err, "keys cannot be made") : CG_OK;
}

static int make_group(struct cg_group_work *work, const struct cg_seal *seal) {
    struct wishes wishes = {.ring = CG_KEYRING_DEFAULTS};
    struct cg_group_request *request = work->request;
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *keys = NULL;
    int err = read_algorithms(request, &wishes.ring);
    if (err == CG_OK) err = read_members(request, &wishes);
    wishes.ring.name = request->group;
    if (err == CG_OK) err = tell_keyring(work, cg_keyring_new(&keys, &wishes.ring, error), error);
    if (err == CG_OK) err = seal_what_was_made(work, seal, NULL, keys);
    json_decref(keys);
    free(wishes.each);
    return err;
}

/* ---- Waiting for a Group Manager's keys ---- */

static int keep_text(struct cg_group_work *work, const char *key, bool is_needed) {
    json_t *json = json_object_get(work->request->body, key);
    char pointer[CG_NAME_MAX + 2];
    const char *text = json_string_value(json);
    (void)snprintf(pointer, sizeof pointer, "/%s", key);
    if (json == NULL && !is_needed) return CG_OK;
    if (text == NULL || text[0] == '\0' || strlen(text) > 1024)
        return cg_group_mistake(work->request, pointer, "must be a text of 1 to 1024 bytes");
    return json_object_set(work->document, key, json) == 0 ? CG_OK : no_memory(work);
}

static int wait_for_keys(struct cg_group_work *work) {
    int err = check_keys(work->request, pending_keys);
    if (err == CG_OK) err = keep_text(work, "group_manager", true);
    if (err == CG_OK) err = keep_text(work, "app_group", false);
    if (err == CG_OK) err = keep_text(work, "security_group", false);
    if (err < 0) return err;
    bool ok = cg_keys_set(work->document, "pending", json_true()) && set_warm(work->document, work->request);
    return ok ? CG_OK : no_memory(work);
}

/* ---- The wishes ---- */

static int read_name(struct cg_group_request *request) {
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

static bool has_keys(const struct cg_group_request *request) {
    return json_object_get(request->body, "common") != NULL;
}

static int make_keys(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    bool is_import = has_keys(request);
    int err = check_keys(request, is_import ? import_keys : create_keys);
    if (err == CG_OK) err = is_import ? take_in(work, seal) : make_group(work, seal);
    return err == CG_OK ? keep_keys(work, "keys") : err;
}

static int make_new(struct cg_group_work *work, const struct cg_seal *seal) {
    bool unused;
    int err = read_name(work->request);
    if (err == CG_OK) err = read_flag(work->request, "warm", false, &unused);
    if (err == CG_OK) err = begin_document(work);
    if (err < 0) return err;
    return says(work->request, "pending") ? wait_for_keys(work) : make_keys(work, seal);
}

static bool is_pending(const struct cg_group_work *work) { return work->group != NULL && work->current == NULL; }

/* What a pending group has waited for has come. */
static int complete(struct cg_group_work *work, const struct cg_seal *seal) {
    static const char *const over[] = {"pending", "group_manager", "app_group", "security_group"};
    for (size_t i = 0; i < sizeof over / sizeof *over; i++) (void)json_object_del(work->document, over[i]);
    return make_keys(work, seal);
}

static int change_group(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    bool unused, brings = has_keys(request);
    int err = read_name(request);
    if (err == CG_OK) err = read_flag(request, "warm", false, &unused);
    if (err == CG_OK) err = begin_document(work);
    if (err < 0) return err;
    if (brings && is_pending(work)) return complete(work, seal);
    if (brings)
        return cg_problem_set(&request->problem, CG_E_CONFLICT,
                              "security group %s has keys: others come into use by prepare-rekey and activate",
                              request->group);
    err = check_keys(request, change_keys);
    if (err < 0) return err;
    if (request->wish == CG_GROUP_PUT) (void)json_object_del(work->document, "warm");
    return set_warm(work->document, request) ? CG_OK : no_memory(work);
}

/* ---- One more member ---- */

static json_t *find_member(const json_t *keys, const char *id, size_t *index) {
    const json_t *members = json_object_get(keys, "members");
    for (*index = 0; *index < json_array_size(members); (*index)++) {
        json_t *member = json_array_get(members, *index);
        if (strcasecmp(cg_keys_text(member, "sender_id"), id) == 0) return member;
    }
    return NULL;
}

/* The file of one who is in the keys, for the answer. */
static int lend_file(struct cg_group_work *work, json_t *keys, const char *id) {
    enum { FIRST_MEMBER = 2 }; /* group.json and gateway.json come before */
    size_t index;
    if (find_member(keys, id, &index) == NULL)
        return cg_problem_set(&work->request->problem, CG_E_NOT_FOUND,
                              "nobody with Sender ID %s is in security group %s", id, work->request->group);
    (void)snprintf(work->member, sizeof work->member, "%s", id);
    work->file = cg_keyring_file(keys, FIRST_MEMBER + index);
    return work->file == NULL ? no_memory(work) : CG_OK;
}

static int open_keys(struct cg_group_work *work, const struct cg_seal *seal, const struct cg_item *item,
                     json_t **keys) {
    struct cg_problem *problem = &work->request->problem;
    int err = cg_sealed_keys_open(seal, item, keys, problem);
    if (err < 0 || json_object_get(*keys, "members") != NULL) return err;
    json_decref(*keys);
    *keys = NULL;
    return cg_problem_set(problem, CG_E_CONFLICT,
                          "the keys of security group %s are managed elsewhere, and only the gateway's own are here: "
                          "whoever manages them adds and evicts; prepare-rekey takes the gateway's next ones",
                          work->request->group);
}

/* As cg_keyring_rekey wants it: what was given out last under this group. *before is new. */
static int given_before(struct cg_group_work *work, const struct cg_seal *seal, json_t *keys, json_t **before) {
    if (work->next != NULL) return open_keys(work, seal, work->next, before);
    json_t *document = cg_group_document(work->group), *common = json_object();
    json_t *latest = json_object_get(document, "latest_gid");
    *before = cg_json_copy(keys);
    bool ok = document != NULL && common != NULL && *before != NULL &&
              (latest == NULL || json_object_set(common, "gid", latest) == 0) &&
              (latest == NULL || json_object_set(*before, "common", common) == 0);
    json_decref(common);
    json_decref(document);
    if (ok) return CG_OK;
    json_decref(*before);
    *before = NULL;
    return no_memory(work);
}

static int rekey(struct cg_group_work *work, const struct cg_seal *seal, const struct cg_keyring_options *ring,
                 json_t *keys) {
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *before = NULL;
    int err = given_before(work, seal, keys, &before);
    if (err == CG_OK) err = tell_keyring(work, cg_keyring_rekey(keys, ring, before, error), error);
    json_decref(before);
    return err;
}

static int read_joiner(struct cg_group_request *request, struct cg_keyring_member *member, bool *rekeys) {
    int err = check_keys(request, join_keys);
    if (err == CG_OK) err = read_member(request, request->body, "", member);
    return err == CG_OK ? read_flag(request, "rekey", true, rekeys) : err;
}

/* A mistake of the last of the members is one of the body's. */
static int retell_joiner(struct cg_group_work *work, const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *it = mistakes->first; it != NULL; it = it->next) {
        const char *key = strrchr(it->pointer, '/');
        cg_mistakes_add(&work->request->mistakes, key == NULL ? "" : key, "%s", it->message);
    }
    return CG_E_INVALID;
}

static int seal_joined(struct cg_group_work *work, const struct cg_seal *seal, const char *name, json_t *keys) {
    struct cg_group_request *request = work->request;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_sealed_keys_make(&work->made, request->group, name, keys, seal, &mistakes, &request->problem);
    work->has_made = err == CG_OK;
    if (err == CG_E_INVALID) (void)retell_joiner(work, &mistakes);
    cg_mistakes_fini(&mistakes);
    return err;
}

static int join(struct cg_group_work *work, const struct cg_seal *seal, const struct cg_keyring_options *ring,
                bool rekeys, json_t *keys) {
    char error[CG_KEYS_ERROR_MAX] = "";
    bool is_in_place = work->next != NULL || !rekeys; /* under keys that there are */
    const struct cg_item *base = work->next != NULL ? work->next : work->current;
    int err = tell_keyring(work, cg_keyring_add(keys, ring, error), error);
    if (err == CG_OK && !is_in_place) err = rekey(work, seal, ring, keys);
    if (err == CG_OK) err = seal_joined(work, seal, is_in_place ? base->name : NULL, keys);
    if (err < 0) return err;
    const json_t *members = json_object_get(keys, "members");
    err = lend_file(work, keys, cg_keys_text(json_array_get(members, json_array_size(members) - 1), "sender_id"));
    return err == CG_OK ? keep_keys(work, rekeys ? "next" : "keys") : err;
}

static int make_joiner(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    struct cg_keyring_member member;
    const struct cg_keyring_options ring = {.members = 1, .each = &member};
    bool rekeys;
    json_t *keys = NULL;
    int err = read_joiner(request, &member, &rekeys);
    if (err < 0) return err;
    if (!rekeys && work->next != NULL)
        return cg_problem_set(&request->problem, CG_E_CONFLICT,
                              "a rekey of security group %s is prepared: with \"rekey\": true the member joins under "
                              "those keys; or activate or abandon it first",
                              request->group);
    err = open_keys(work, seal, work->next != NULL ? work->next : work->current, &keys);
    if (err == CG_OK) err = begin_document(work);
    if (err == CG_OK) err = join(work, seal, &ring, rekeys, keys);
    json_decref(keys);
    return err;
}

/* ---- The next keys ---- */

static int read_evicted(struct cg_group_request *request, struct cg_keyring_options *ring) {
    const json_t *list = json_object_get(request->body, "evict"), *id;
    size_t i;
    if (list == NULL) return CG_OK;
    if (!json_is_array(list) || json_array_size(list) > CG_KEYS_EVICT_MAX)
        return cg_group_mistake(request, "/evict", "must be an array of at most 256 Sender IDs");
    json_array_foreach(list, i, id) {
        char pointer[32];
        (void)snprintf(pointer, sizeof pointer, "/evict/%zu", i);
        if (!json_is_string(id)) return cg_group_mistake(request, pointer, "must be a Sender ID in hexadecimal");
        ring->evict[ring->evict_count++] = json_string_value(id);
    }
    return CG_OK;
}

static int renew(struct cg_group_work *work, const struct cg_seal *seal, const struct cg_keyring_options *ring,
                 json_t *keys) {
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *before = NULL;
    if (!says(work->request, "new_sender_id")) return rekey(work, seal, ring, keys);
    int err = given_before(work, seal, keys, &before);
    if (err == CG_OK) err = tell_keyring(work, cg_keyring_new_sender_id(keys, before, error), error);
    json_decref(before);
    return err;
}

static int make_next(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    struct cg_keyring_options ring = {0};
    bool unused;
    json_t *keys = NULL;
    int err = check_keys(request, prepare_keys);
    if (err == CG_OK) err = read_flag(request, "new_sender_id", false, &unused);
    if (err == CG_OK) err = read_evicted(request, &ring);
    if (err == CG_OK && ring.evict_count > 0 && says(request, "new_sender_id"))
        err = cg_group_mistake(request, "/new_sender_id", "evicts nobody: who is to go needs new keys");
    if (err == CG_OK) err = open_keys(work, seal, work->current, &keys);
    if (err == CG_OK) err = renew(work, seal, &ring, keys);
    if (err == CG_OK) err = seal_what_was_made(work, seal, NULL, keys);
    json_decref(keys);
    return err;
}

static int take_in_next(struct cg_group_work *work, const struct cg_seal *seal) {
    int err = check_keys(work->request, prepare_import_keys);
    return err == CG_OK ? take_in(work, seal) : err;
}

static int prepare(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    bool replaces;
    int err = read_flag(request, "replace", false, &replaces);
    if (err < 0) return err;
    if (work->next != NULL && !replaces)
        return cg_problem_set(&request->problem, CG_E_CONFLICT,
                              "a rekey of security group %s is prepared already: activate makes its keys those in use; "
                              "\"replace\": true gives it up for this one",
                              request->group);
    err = begin_document(work);
    if (err == CG_OK) err = has_keys(request) ? take_in_next(work, seal) : make_next(work, seal);
    if (err == CG_OK) err = keep_keys(work, "next");
    return err == CG_OK ? cg_group_locate(work) : err;
}

static int fetch(struct cg_group_work *work, const struct cg_seal *seal) {
    const struct cg_item *item = work->epoch == CG_KEYRING_NEXT ? work->next : work->current;
    json_t *keys = NULL;
    (void)snprintf(work->keys, sizeof work->keys, "%.32s", item->name);
    int err = open_keys(work, seal, item, &keys);
    if (err == CG_OK) err = lend_file(work, keys, work->request->member);
    json_decref(keys);
    return err;
}

/* Whom the next keys are for, is looked at on the loop. */
static int check_activation(struct cg_group_work *work) {
    bool unused;
    int err = check_keys(work->request, activate_keys);
    if (err == CG_OK) err = read_flag(work->request, "force", false, &unused);
    if (err < 0 || work->next == NULL) return err;
    work->document = cg_group_document(work->next);
    return work->document == NULL ? no_memory(work) : CG_OK;
}

int cg_group_make(struct cg_group_work *work, const struct cg_seal *seal) {
    cg_json_wipe();
    switch (work->request->wish) {
    case CG_GROUP_CREATE: return make_new(work, seal);
    case CG_GROUP_PUT: return work->group == NULL ? make_new(work, seal) : change_group(work, seal);
    case CG_GROUP_PATCH: return change_group(work, seal);
    case CG_GROUP_JOIN: return make_joiner(work, seal);
    case CG_GROUP_PREPARE: return prepare(work, seal);
    case CG_GROUP_FETCH: return fetch(work, seal);
    case CG_GROUP_ACTIVATE: return check_activation(work);
    case CG_GROUP_READ: return cg_group_read(work);
    case CG_GROUP_ABANDON:
    case CG_GROUP_DELETE: break;
    }
    return CG_OK;
}

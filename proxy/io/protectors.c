/* The one place that knows which protectors there are. The hard thing is what must survive a reload: a group's running casts (its epochs), a
 * relay's replay windows, and every sender's numbers. */
#include "io/protectors.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "builtin.h"
#include "settings/security_group.h"
#include "sqlite/sqlite.h"

#define DIGEST_LEN 32

/* A security group by name. */
struct cg_named_group {
    char name[CG_NAME_MAX + 1];
    struct cg_group_oscore *group;
    uint8_t current[DIGEST_LEN], next[DIGEST_LEN]; /* of the keys in use and prepared; zero: none */
    UT_hash_handle hh;
};

/* A relay by what it checks: mappings with the same checker share its replay windows. */
struct cg_relay_entry {
    uint8_t digest[DIGEST_LEN]; /* zero: checks nothing */
    struct cg_relay *relay;
    UT_hash_handle hh;
};

/* What two key files have to agree in to be the same keys */

static void put_field(struct cg_buf *to, struct cg_slice field) {
    uint64_t len = field.len;
    cg_buf_put(to, &len, sizeof len);
    cg_buf_put_slice(to, field);
}

static bool make_digest(uint8_t digest[DIGEST_LEN], const struct cg_security_group *keys) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    int algorithms[] = {keys->alg_aead,      keys->alg_group_enc,  keys->alg_signature,
                        keys->alg_agreement, (int)keys->hkdf,      keys->countersign_four};
    cg_buf_put(&text, algorithms, sizeof algorithms);
    struct cg_sender_id sender = {0};
    if (keys->file != CG_GROUP_FILE_CHECKER) sender = cg_security_group_sender_id(keys, &keys->self);
    put_field(&text, cg_slice_of(sender.bytes, sizeof sender.bytes));
    put_field(&text, keys->signature_encryption_key);
    put_field(&text, keys->gid);
    put_field(&text, keys->gm_cred);
    put_field(&text, keys->self.cred);
    for (size_t i = 0; i < keys->peer_count; i++) {
        put_field(&text, keys->peers[i].id);
        put_field(&text, keys->peers[i].cred);
    }
    bool made = !text.failed && EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL) == 1;
    if (text.data != NULL) explicit_bzero(text.data, text.len);
    cg_buf_fini(&text);
    return made;
}

static int no_memory(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_NO_MEMORY, "the system has no memory left");
}

/* Security groups */

static struct cg_named_group *named_group(struct cg_protectors *protectors, const char *name) {
    struct cg_named_group *entry;
    HASH_FIND_STR(protectors->groups, name, entry);
    if (entry != NULL) return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->group = cg_group_oscore_new(&protectors->group_services);
    if (entry->group == NULL) {
        free(entry);
        return NULL;
    }
    memcpy(entry->name, name, strlen(name) + 1);
    HASH_ADD_STR(protectors->groups, name, entry);
    return entry;
}

typedef int (*install_fn)(struct cg_group_oscore *group, const struct cg_group_keys *keys, const char **why);

static int install(struct cg_named_group *entry, const struct cg_security_group *file, install_fn how,
                   struct cg_problem *problem) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_group_keys keys = {.params = &params, .peer_count = file->peer_count};
    cg_security_group_params(file, &file->self, &params, &own);
    keys.sender = cg_security_group_sender_id(file, &file->self);
    struct cg_group_peer *peers = calloc(file->peer_count + 1, sizeof *peers);
    if (peers == NULL) return no_memory(problem);
    for (size_t i = 0; i < file->peer_count; i++) {
        peers[i] = (struct cg_group_peer){.kid = file->peers[i].id, .cred = file->peers[i].cred};
    }
    keys.peers = peers;
    const char *why = "the system has no memory left";
    int err = how(entry->group, &keys, &why);
    free(peers);
    if (err < 0) return cg_problem_set(problem, err, "security group %s: %s", entry->name, why);
    return CG_OK;
}

static void log_epoch(const char *event, const char *name) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, event);
    cg_log_str(&line, "security_group", name);
    cg_log_end(&line);
}

/* Keys that are in use already change nothing. */
static int apply(struct cg_named_group *entry, const struct cg_security_group *file, uint8_t known[DIGEST_LEN],
                 install_fn how, const char *event, struct cg_problem *problem) {
    uint8_t digest[DIGEST_LEN];
    if (!make_digest(digest, file)) return no_memory(problem);
    if (memcmp(known, digest, DIGEST_LEN) == 0) return CG_OK;
    int err = install(entry, file, how, problem);
    if (err < 0) return err;
    memcpy(known, digest, DIGEST_LEN);
    log_epoch(event, entry->name);
    return CG_OK;
}

static int apply_group(struct cg_protectors *protectors, const struct cg_security_keys *keys, struct cg_problem *problem) {
    struct cg_named_group *entry = named_group(protectors, keys->name);
    if (entry == NULL) return no_memory(problem);
    uint8_t before[DIGEST_LEN];
    memcpy(before, entry->current, sizeof before);
    int err = apply(entry, keys->keys, entry->current, cg_group_oscore_activate, "keys-activated", problem);
    if (memcmp(before, entry->current, sizeof before) != 0) memset(entry->next, 0, sizeof entry->next);
    if (err == CG_OK && keys->next_keys != NULL) {
        err = apply(entry, keys->next_keys, entry->next, cg_group_oscore_prepare, "keys-prepared", problem);
    }
    return err;
}

/* Relays */

static int make_checker(const struct cg_security_group *file, struct cg_oscore_context **checker,
                        struct cg_problem *problem) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    const char *why = "the system has no memory left";
    cg_security_group_params(file, NULL, &params, &own);
    int err = cg_oscore_checker_new(checker, &params, file->signature_encryption_key, &why);
    for (size_t i = 0; err == CG_OK && i < file->peer_count; i++) {
        struct cg_oscore_peer *peer;
        err = cg_oscore_peer_add(*checker, file->peers[i].id, file->peers[i].cred, CG_OSCORE_WINDOW_NEW, &peer, &why);
        if (err < 0) cg_oscore_context_unref(*checker);
    }
    if (err < 0) return cg_problem_set(problem, err, "check_signature: %s", why);
    return CG_OK;
}

/* The relay for these keys (NULL: one that checks nothing). */
static struct cg_relay *relay_for(struct cg_protectors *protectors, const struct cg_security_group *file,
                                  struct cg_problem *problem) {
    uint8_t digest[DIGEST_LEN] = {0};
    struct cg_relay_entry *entry;
    struct cg_oscore_context *checker = NULL;
    if (file != NULL && !make_digest(digest, file)) return NULL;
    HASH_FIND(hh, protectors->relays, digest, sizeof digest, entry);
    if (entry != NULL) return entry->relay;
    if (file != NULL && make_checker(file, &checker, problem) < 0) return NULL;
    entry = calloc(1, sizeof *entry);
    struct cg_relay *relay = entry == NULL ? NULL : cg_relay_new(&protectors->relay_services, checker);
    if (relay == NULL) {
        if (checker != NULL) cg_oscore_context_unref(checker);
        free(entry);
        return NULL;
    }
    entry->relay = relay;
    memcpy(entry->digest, digest, sizeof digest);
    HASH_ADD(hh, protectors->relays, digest, sizeof entry->digest, entry);
    return relay;
}

/* Snapshots */

static int attach_mapping(struct cg_protectors *protectors, struct cg_mapping *mapping, struct cg_problem *problem) {
    struct cg_named_group *entry;
    struct cg_relay *relay;
    switch (mapping->security) {
    case CG_SECURITY_NONE: mapping->protector = cg_protector_none(); break;
    case CG_SECURITY_GROUP:
        entry = named_group(protectors, mapping->keys->name);
        if (entry == NULL) return no_memory(problem);
        mapping->protector = cg_group_oscore_protector(entry->group);
        break;
    case CG_SECURITY_RELAY:
        relay = relay_for(protectors, mapping->checker_keys, problem);
        if (relay == NULL) return problem->err < 0 ? problem->err : no_memory(problem);
        mapping->protector = cg_relay_protector(relay);
        break;
    }
    return CG_OK;
}

static void drop_keys(struct cg_config *config) {
    for (size_t i = 0; i < config->security_group_count; i++) {
        struct cg_security_keys *keys = &config->security_groups[i];
        cg_security_group_free(keys->keys);
        cg_security_group_free(keys->next_keys);
        keys->keys = keys->next_keys = NULL;
    }
    for (size_t i = 0; i < config->mapping_count; i++) {
        cg_security_group_free(config->mappings[i].checker_keys);
        config->mappings[i].checker_keys = NULL;
    }
}

int cg_protectors_attach(struct cg_protectors *protectors, struct cg_config *config, struct cg_problem *problem) {
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < config->mapping_count; i++) {
        err = attach_mapping(protectors, &config->mappings[i], problem);
    }
    for (size_t i = 0; err == CG_OK && i < config->security_group_count; i++) {
        err = apply_group(protectors, &config->security_groups[i], problem);
    }
    drop_keys(config);
    return err;
}

/* Life */

void cg_protectors_init(struct cg_protectors *protectors) {
    *protectors = (struct cg_protectors){0};
    cg_senders_init(&protectors->senders, NULL);
    protectors->group_services.senders = &protectors->senders;
}

static void start_pool(struct cg_protectors *protectors, uv_loop_t *uv, struct cg_gateway *gateway) {
    if (protectors->group_services.gateway != NULL) return;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    cg_crypto_pool_init(&protectors->pool, uv, cores > 0 ? (unsigned)cores : 1);
    protectors->group_services.crypto = protectors->relay_services.crypto = &protectors->pool.crypto;
    protectors->group_services.gateway = protectors->relay_services.gateway = gateway;
}

static int open_store(struct cg_protectors *protectors, uv_loop_t *uv, const char *state, struct cg_problem *problem) {
    struct cg_store_backend *backend = cg_sqlite_new(state);
    if (backend == NULL) return no_memory(problem);
    struct cg_problem closed = {0};
    if (cg_sqlite_open(backend, &closed) < 0) cg_log(CG_LOG_ERROR, "store", "secured sending fails until this is mended: %s", closed.detail);
    protectors->store = cg_store_thread_open(uv, backend, problem);
    if (protectors->store == NULL) return CG_E_STORE;
    protectors->senders.store = cg_store_thread_store(protectors->store);
    return CG_OK;
}

int cg_protectors_open(struct cg_protectors *protectors, uv_loop_t *uv, struct cg_gateway *gateway, const char *state,
                       struct cg_problem *problem) {
    start_pool(protectors, uv, gateway);
    if (protectors->groups == NULL || protectors->store != NULL) return CG_OK;
    return open_store(protectors, uv, state, problem);
}

void cg_protectors_close(struct cg_protectors *protectors) {
    if (protectors->store == NULL) return;
    cg_store_thread_close(protectors->store, NULL, NULL);
    protectors->store = NULL;
}

void cg_protectors_fini(struct cg_protectors *protectors) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, protectors->groups, group, next_group) {
        HASH_DEL(protectors->groups, group);
        cg_group_oscore_free(group->group);
        free(group);
    }
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, protectors->relays, relay, next_relay) {
        HASH_DEL(protectors->relays, relay);
        cg_relay_free(relay->relay);
        free(relay);
    }
    if (protectors->group_services.gateway != NULL) cg_crypto_pool_fini(&protectors->pool);
    cg_senders_fini(&protectors->senders);
}

/* The one place that knows which protectors there are. The hard thing is what must survive a reload: a group's running
 * casts (its epochs), a relay's replay windows, and every sender's numbers; and that a reload takes effect for all of
 * them or for none. */
#include "app/protectors.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "builtin.h"
#include "exchange/gateway.h"
#include "settings/security_group.h"
#include "store/sqlite.h"

#define DIGEST_LEN CG_GROUP_DIGEST_LEN

/* A security group by name. One that the settings have no more keeps its place, without keys: answers may still be on
 * their way. */
struct cg_named_group {
    char name[CG_NAME_MAX + 1];
    struct cg_group_oscore *group;
    struct cg_sender_id sender, staged_sender; /* whose numbers its current keys use */
    bool staged;
    UT_hash_handle hh;
};

/* A relay by the file that it checks with. The file may change: the relay stays. Its replay windows are everybody's. */
struct cg_relay_entry {
    char *file; /* owned; empty: checks nothing */
    struct cg_relay *relay;
    uint8_t digest[DIGEST_LEN]; /* of the checker in use; zero: none */
    struct cg_oscore_context *staged;
    uint8_t staged_digest[DIGEST_LEN];
    UT_hash_handle hh;
};

/* What two key files have to agree in to be the same keys */

/* Straight into the hash: keys in a buffer that grows would leave copies behind. */
static void put_field(crypto_hash_sha256_state *to, struct cg_slice field) {
    uint64_t len = field.len;
    crypto_hash_sha256_update(to, (const uint8_t *)&len, sizeof len);
    if (field.len > 0) crypto_hash_sha256_update(to, field.data, field.len);
}

static void put_keys(crypto_hash_sha256_state *to, const struct cg_security_group *keys,
                     const struct cg_sender_id *sender) {
    const int algorithms[] = {keys->alg_aead,      keys->alg_group_enc, keys->alg_signature,
                              keys->alg_agreement, (int)keys->hkdf,     keys->countersign_four};
    put_field(to, cg_slice_of(algorithms, sizeof algorithms));
    put_field(to, cg_slice_of(sender->bytes, sizeof sender->bytes));
    put_field(to, keys->signature_encryption_key);
    put_field(to, keys->gid);
    put_field(to, keys->gm_cred);
    put_field(to, keys->self.cred);
    for (size_t i = 0; i < keys->peer_count; i++) {
        put_field(to, keys->peers[i].id);
        put_field(to, keys->peers[i].cred);
    }
}

/* False: no memory. */
static bool make_digest(uint8_t digest[DIGEST_LEN], const struct cg_security_group *keys) {
    crypto_hash_sha256_state hash;
    struct cg_sender_id sender = {0};
    bool sends = keys->file != CG_GROUP_FILE_CHECKER;
    if (sends && cg_security_group_sender_id(keys, &keys->self, &sender) < 0) return false;
    crypto_hash_sha256_init(&hash);
    put_keys(&hash, keys, &sender);
    crypto_hash_sha256_final(&hash, digest);
    sodium_memzero(&hash, sizeof hash);
    return true;
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
    if (CG_HASH_HAS(hh, entry)) return entry;
    cg_group_oscore_free(entry->group);
    free(entry);
    return NULL;
}

/* One epoch's keys, as the group takes them: views into the file's, but for the array of peers. */
struct epoch_keys {
    struct cg_group_keys keys;
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_group_peer *peers; /* owned */
};

/* False: no memory. */
static bool fill_keys(struct epoch_keys *to, const struct cg_security_group *file) {
    *to = (struct epoch_keys){0};
    if (file == NULL) return true;
    cg_security_group_params(file, &file->self, &to->params, &to->own);
    to->peers = calloc(file->peer_count + 1, sizeof *to->peers);
    if (to->peers == NULL || !make_digest(to->keys.digest, file)) return false;
    if (cg_security_group_sender_id(file, &file->self, &to->keys.sender) < 0) return false;
    for (size_t i = 0; i < file->peer_count; i++) {
        const struct cg_security_party *peer = &file->peers[i];
        to->peers[i] = (struct cg_group_peer){.kid = peer->id, .cred = peer->cred, .address = peer->address};
    }
    to->keys.params = &to->params;
    to->keys.peers = to->peers;
    to->keys.peer_count = file->peer_count;
    return true;
}

static int stage_group(struct cg_protectors *protectors, const struct cg_security_keys *keys,
                       struct cg_problem *problem) {
    struct cg_named_group *entry = named_group(protectors, keys->name);
    if (entry == NULL) return cg_problem_no_memory(problem);
    struct epoch_keys current, next = {0};
    const char *why = "the system has no memory left";
    int err = CG_E_NO_MEMORY;
    if (fill_keys(&current, keys->keys) && fill_keys(&next, keys->next_keys)) {
        err = cg_group_oscore_stage(entry->group, &current.keys, keys->next_keys == NULL ? NULL : &next.keys, &why);
        entry->staged_sender = current.keys.sender;
        entry->staged = err == CG_OK;
    }
    free(current.peers);
    free(next.peers);
    return err < 0 ? cg_problem_set(problem, err, "security group %s: %s", entry->name, why) : CG_OK;
}

/* What is remembered of an epoch across a commit: zero for none. */
static void note(uint8_t digest[DIGEST_LEN], const uint8_t *epoch) {
    memset(digest, 0, DIGEST_LEN);
    if (epoch != NULL) memcpy(digest, epoch, DIGEST_LEN);
}

static void log_change(const struct cg_named_group *entry, const char *event, const uint8_t before[DIGEST_LEN],
                       const uint8_t *now) {
    if (now == NULL || memcmp(before, now, DIGEST_LEN) == 0) return;
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, event);
    cg_log_str(&line, "security_group", entry->name);
    cg_log_end(&line);
}

static void commit_group(struct cg_named_group *entry) {
    uint8_t current[DIGEST_LEN], next[DIGEST_LEN];
    note(current, cg_group_oscore_current(entry->group));
    note(next, cg_group_oscore_next(entry->group));
    if (entry->staged) entry->sender = entry->staged_sender;
    entry->staged = false;
    cg_group_oscore_commit(entry->group); /* where the settings have it no more nothing is staged */
    log_change(entry, "keys-activated", current, cg_group_oscore_current(entry->group));
    log_change(entry, "keys-prepared", next, cg_group_oscore_next(entry->group));
}

/* Relays */

static int make_checker(const struct cg_security_group *file, struct cg_oscore_context **made,
                        struct cg_problem *problem) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    struct cg_oscore_context *checker;
    const char *why = "the system has no memory left";
    cg_security_group_params(file, NULL, &params, &own);
    int err = cg_oscore_checker_new(&checker, &params, file->signature_encryption_key, &why);
    if (err < 0) return cg_problem_set(problem, err, "check_signature: %s", why);
    for (size_t i = 0; err == CG_OK && i < file->peer_count; i++) {
        struct cg_oscore_peer *peer;
        err = cg_oscore_peer_add(checker, file->peers[i].id, file->peers[i].cred, CG_OSCORE_WINDOW_NEW, &peer, &why);
    }
    if (err < 0) {
        cg_oscore_context_unref(checker);
        return cg_problem_set(problem, err, "check_signature: %s", why);
    }
    *made = checker;
    return CG_OK;
}

static struct cg_relay_entry *new_relay(struct cg_protectors *protectors, const char *file) {
    struct cg_relay_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    entry->file = strdup(file);
    entry->relay = cg_relay_new(&protectors->relay_services);
    if (entry->file != NULL && entry->relay != NULL)
        HASH_ADD_KEYPTR(hh, protectors->relays, entry->file, strlen(entry->file), entry);
    if (CG_HASH_HAS(hh, entry)) return entry;
    cg_relay_free(entry->relay);
    free(entry->file);
    free(entry);
    return NULL;
}

/* The relay of a mapping, with the checker that it is to have. */
static int stage_relay(struct cg_protectors *protectors, const struct cg_mapping *mapping,
                       struct cg_relay_entry **relay, struct cg_problem *problem) {
    const char *file = mapping->check_signature == NULL ? "" : mapping->check_signature;
    struct cg_relay_entry *entry;
    CG_CHECK((mapping->check_signature == NULL) == (mapping->checker_keys == NULL)); /* or it would check nothing */
    HASH_FIND_STR(protectors->relays, file, entry);
    if (entry == NULL) entry = new_relay(protectors, file);
    if (entry == NULL) return cg_problem_no_memory(problem);
    *relay = entry;
    uint8_t digest[DIGEST_LEN];
    if (mapping->checker_keys == NULL) return CG_OK;
    if (!make_digest(digest, mapping->checker_keys)) return cg_problem_no_memory(problem);
    if (memcmp(digest, entry->staged == NULL ? entry->digest : entry->staged_digest, DIGEST_LEN) == 0) return CG_OK;
    struct cg_oscore_context *checker = NULL;
    int err = make_checker(mapping->checker_keys, &checker, problem);
    if (err < 0) return err;
    if (entry->staged != NULL) cg_oscore_context_unref(entry->staged);
    entry->staged = checker;
    memcpy(entry->staged_digest, digest, DIGEST_LEN);
    return CG_OK;
}

static void commit_relay(struct cg_relay_entry *entry) {
    if (entry->staged == NULL) return;
    cg_relay_set_checker(entry->relay, entry->staged);
    memcpy(entry->digest, entry->staged_digest, DIGEST_LEN);
    entry->staged = NULL;
}

/* Snapshots */

static int stage_mapping(struct cg_protectors *protectors, struct cg_mapping *mapping, struct cg_problem *problem) {
    struct cg_named_group *group;
    struct cg_relay_entry *relay = NULL;
    int err;
    switch (mapping->security) {
    case CG_SECURITY_NONE: mapping->protector = cg_protector_none(); break;
    case CG_SECURITY_GROUP:
        group = named_group(protectors, mapping->keys->name);
        if (group == NULL) return cg_problem_no_memory(problem);
        mapping->protector = cg_group_oscore_protector(group->group);
        break;
    case CG_SECURITY_RELAY:
        err = stage_relay(protectors, mapping, &relay, problem);
        if (err < 0) return err;
        mapping->protector = cg_relay_protector(relay->relay);
        break;
    }
    return CG_OK;
}

static void commit(struct cg_protectors *protectors) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, protectors->groups, group, next_group) commit_group(group);
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, protectors->relays, relay, next_relay) commit_relay(relay);
}

static void discard(struct cg_protectors *protectors) {
    struct cg_named_group *group, *next_group;
    HASH_ITER(hh, protectors->groups, group, next_group) {
        cg_group_oscore_discard(group->group);
        group->staged = false;
    }
    struct cg_relay_entry *relay, *next_relay;
    HASH_ITER(hh, protectors->relays, relay, next_relay) {
        if (relay->staged != NULL) cg_oscore_context_unref(relay->staged);
        relay->staged = NULL;
    }
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
        err = stage_mapping(protectors, &config->mappings[i], problem);
    }
    for (size_t i = 0; err == CG_OK && i < config->security_group_count; i++) {
        err = stage_group(protectors, &config->security_groups[i], problem);
    }
    if (err == CG_OK) {
        commit(protectors);
    } else {
        discard(protectors);
    }
    drop_keys(config);
    return err;
}

/* Life */

static void warn_low(const char *group) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_WARNING, "sequence-numbers");
    cg_log_str(&line, "security_group", group);
    cg_log_str(&line, "msg",
               "four fifths of the gateway's numbers are used: rekey the group, or take a new Sender ID; "
               "without numbers nothing is sent");
    cg_log_end(&line);
}

static void on_low(void *ctx, const struct cg_sender_id *id) {
    const struct cg_protectors *protectors = ctx;
    const struct cg_named_group *group, *next;
    HASH_ITER(hh, protectors->groups, group, next) {
        if (memcmp(group->sender.bytes, id->bytes, sizeof id->bytes) == 0) warn_low(group->name);
    }
}

void cg_protectors_metrics(const struct cg_protectors *protectors, struct cg_buf *to) {
    const struct cg_named_group *group, *next;
    cg_buf_put_str(to, "# HELP castgate_sequence_numbers_used_ratio How much of a security group's sequence numbers is "
                       "used; none are left at 1.\n# TYPE castgate_sequence_numbers_used_ratio gauge\n");
    HASH_ITER(hh, protectors->groups, group, next) {
        if (cg_group_oscore_current(group->group) == NULL) continue;
        cg_buf_printf(to, "castgate_sequence_numbers_used_ratio{security_group=\"%s\"} %.9g\n", group->name,
                      (double)cg_senders_used(&protectors->senders, &group->sender) / (double)CG_SENDER_NUMBERS);
    }
}

void cg_protectors_init(struct cg_protectors *protectors) {
    *protectors = (struct cg_protectors){0};
    cg_senders_init(&protectors->senders, NULL);
    protectors->senders.low = on_low;
    protectors->senders.ctx = protectors;
    protectors->group_services.senders = &protectors->senders;
    cg_windows_init(&protectors->windows);
    protectors->relay_services.windows = &protectors->windows;
    randombytes_buf(&protectors->group_services.later.dice, sizeof protectors->group_services.later.dice);
}

static int start_pool(struct cg_protectors *protectors, uv_loop_t *uv, struct cg_gateway *gateway,
                      struct cg_problem *problem) {
    if (protectors->group_services.engine != NULL) return CG_OK;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cores > 0 ? (unsigned)cores : 1;
    cg_crypto_pool_init(&protectors->pool, uv, threads);
    protectors->group_services.crypto = protectors->relay_services.crypto = &protectors->pool.crypto;
    protectors->group_services.engine = protectors->relay_services.engine = cg_gateway_engine(gateway);
    if (cg_crypto_pool_warm(&protectors->pool, threads) == CG_OK) return CG_OK;
    return cg_problem_set(problem, CG_E_NO_MEMORY, "there is no room for %u threads that sign and verify", threads);
}

static int open_store(struct cg_protectors *protectors, uv_loop_t *uv, const struct cg_config *config,
                      struct cg_problem *problem) {
    const struct cg_sqlite_options options = {
        .rate = config->sequence_rate, .require_clock = config->require_clock, .lock = &protectors->lock};
    struct cg_store_backend *backend = cg_sqlite_new(config->state, &options);
    if (backend == NULL) return cg_problem_no_memory(problem);
    protectors->store = cg_store_thread_open(uv, backend, problem);
    if (protectors->store == NULL) return CG_E_STORE;
    protectors->senders.store = cg_store_thread_store(protectors->store);
    return CG_OK;
}

/* Nothing is touched yet; what was relayed is read when the first checked request comes. */
static int open_state(struct cg_protectors *protectors, const char *state) {
    if (protectors->relayed.folder != NULL) return CG_OK;
    if (protectors->lock.file == NULL && cg_state_lock_init(&protectors->lock, state) < 0) return CG_E_NO_MEMORY;
    int err = cg_relayed_file_init(&protectors->relayed, state, &protectors->lock);
    if (err == CG_OK) cg_windows_open(&protectors->windows, &protectors->relayed.place, &protectors->pool.crypto);
    return err;
}

int cg_protectors_open(struct cg_protectors *protectors, uv_loop_t *uv, struct cg_gateway *gateway,
                       const struct cg_config *config, struct cg_problem *problem) {
    int err = start_pool(protectors, uv, gateway, problem);
    if (err < 0) return err;
    if (open_state(protectors, config->state) < 0) return cg_problem_no_memory(problem);
    if (protectors->groups == NULL || protectors->store != NULL) return CG_OK;
    return open_store(protectors, uv, config, problem);
}

int cg_protectors_status(const struct cg_protectors *protectors, struct cg_problem *problem) {
    return protectors->store == NULL ? CG_OK : cg_store_thread_status(protectors->store, problem);
}

void cg_protectors_close(struct cg_protectors *protectors, cg_store_closed_fn closed, void *ctx) {
    struct cg_store_thread *store = protectors->store;
    protectors->store = NULL;
    if (store != NULL)
        cg_store_thread_close(store, closed, ctx);
    else if (closed != NULL)
        closed(ctx);
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
        free(relay->file);
        free(relay);
    }
    if (protectors->group_services.engine != NULL) cg_crypto_pool_fini(&protectors->pool);
    cg_windows_fini(&protectors->windows);
    cg_relayed_file_fini(&protectors->relayed);
    if (protectors->lock.file != NULL) cg_state_lock_fini(&protectors->lock);
    cg_senders_fini(&protectors->senders);
}

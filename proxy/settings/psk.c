/* The secrets that clients share with the gateway: pre-shared keys, and OSCORE's. The hard thing: they are many small
 * secrets, and locked memory comes in whole pages, of which a process may have few: so one block holds the keys of all
 * clients of a snapshot. */
#include "settings/psk.h"

#include "base/text.h"
#include "settings/client_oscore.h"
#include "settings/secret.h"

#include <sodium.h>

static void free_keys(uint8_t *keys) { sodium_free(keys); /* wipes */ }

enum { OSCORE_SECRETS = 2 /* Master Secret and Master Salt */ };
_Static_assert(CG_CLIENT_SECRET_MAX == CG_PSK_MAX, "each secret has a place of one size");

static size_t count_secrets(const json_t *clients) {
    size_t count = 0;
    const char *name;
    json_t *client;
    json_object_foreach((json_t *)clients, name, client) {
        count += json_object_get(client, "psk") != NULL;
        count += json_object_get(client, "oscore") != NULL ? OSCORE_SECRETS : 0;
    }
    return count;
}

void cg_psks_init(struct cg_psks *psks, struct cg_reader *reader, const json_t *clients) {
    struct cg_secret_text room;
    size_t count = count_secrets(clients);
    *psks = (struct cg_psks){0};
    if (count == 0) return;
    if (cg_secret_alloc(&room, count * CG_PSK_MAX) < 0) {
        reader->out_of_memory = true;
        return;
    }
    reader->config->psk_keys = psks->next = room.data;
    reader->config->free_psk_keys = free_keys;
}

void cg_psks_fini(struct cg_psks *psks) {
    cg_seen_clear(&psks->identities);
    cg_seen_clear(&psks->recipient_ids);
}

static void load_key(struct cg_psks *psks, struct cg_reader *reader, const struct cg_at *at, struct cg_psk *psk) {
    struct cg_secret_text content;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_secret_read(&content, psk->key_file, reader->config->key_files_may_be_shared, &mistakes);
    if (err == CG_E_NO_MEMORY) reader->out_of_memory = true;
    if (mistakes.first != NULL) cg_mistake_at(reader, at, "%s: %s", psk->key_file, mistakes.first->message);
    cg_mistakes_fini(&mistakes);
    if (err < 0) return;
    size_t len = cg_secret_take_psk(cg_secret_slice(&content), psks->next);
    cg_secret_free(&content);
    if (len < CG_PSK_MIN || len > CG_PSK_MAX) {
        cg_mistake_at(reader, at, "%s: a pre-shared key is %d to %d bytes, and this is %zu", psk->key_file, CG_PSK_MIN,
                      CG_PSK_MAX, len);
        return;
    }
    psk->key = cg_slice_of(psks->next, len);
    psks->next += CG_PSK_MAX;
}

static void read_identity(struct cg_psks *psks, struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                          struct cg_psk *psk) {
    const char *text = cg_read_text(reader, at, json);
    if (text == NULL) return;
    struct cg_slice identity = cg_slice_str(text);
    if (identity.len == 0 || identity.len > CG_PSK_IDENTITY_MAX) {
        cg_mistake_at(reader, at, "must be 1 to %d bytes", CG_PSK_IDENTITY_MAX);
        return;
    }
    const char *first = cg_seen_before(reader, &psks->identities, identity, at);
    if (first != NULL) {
        cg_mistake_at(reader, at, "is the same as %s: it must lead to one client", first);
        return;
    }
    psk->identity = cg_keep_text(reader, identity);
}

void cg_psk_read(struct cg_psks *psks, struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                 struct cg_psk *psk) {
    struct cg_at child;
    if (psks->next == NULL || !cg_read_object(reader, at, &cg_psk_rows, json, psk)) return;
    const json_t *identity = cg_read_member(at, json, "identity", &child);
    if (identity == NULL) cg_mistake_missing(reader, at, "identity", "needs \"identity\"");
    if (identity != NULL) read_identity(psks, reader, &child, identity, psk);
    const json_t *file = cg_read_member(at, json, "key_file", &child);
    if (file == NULL) cg_mistake_missing(reader, at, "key_file", "needs \"key_file\"");
    if (psk->key_file != NULL) load_key(psks, reader, &child, psk);
}

static void *keep(struct cg_reader *reader, struct cg_slice bytes) {
    uint8_t *kept = cg_keep_array(reader, 1, bytes.len + 1);
    if (kept != NULL && bytes.len > 0) memcpy(kept, bytes.data, bytes.len);
    return kept;
}

static struct cg_slice keep_secret(struct cg_psks *psks, struct cg_slice bytes) {
    struct cg_slice kept = cg_slice_of(psks->next, bytes.len);
    if (bytes.len > 0) memcpy(psks->next, bytes.data, bytes.len);
    psks->next += CG_PSK_MAX;
    return kept;
}

static void take_context(struct cg_psks *psks, struct cg_reader *reader, const struct cg_at *at,
                         const struct cg_client_oscore *read, struct cg_client_oscore *to) {
    const char *first = cg_seen_before(reader, &psks->recipient_ids, read->recipient_id, at);
    if (first != NULL) {
        cg_mistake_at(reader, at, "%s: its \"recipient_id\" is the same as that of %s: it must lead to one client",
                      read->file, first);
        return;
    }
    const struct cg_slice ids[] = {read->recipient_id, read->sender_id, read->id_context};
    struct cg_slice *const kept[] = {&to->recipient_id, &to->sender_id, &to->id_context};
    *to = *read;
    for (size_t i = 0; i < 3; i++) *kept[i] = cg_slice_of(keep(reader, ids[i]), ids[i].len);
    to->master_secret = keep_secret(psks, read->master_secret);
    to->master_salt = keep_secret(psks, read->master_salt);
}

void cg_client_oscore_read(struct cg_psks *psks, struct cg_reader *reader, const struct cg_at *at,
                           struct cg_client_oscore *oscore) {
    struct cg_client_oscore_file file;
    struct cg_mistakes mistakes;
    const char *name = oscore->file;
    *oscore = (struct cg_client_oscore){.file = NULL};
    if (psks->next == NULL || name == NULL) return;
    cg_mistakes_init(&mistakes);
    int err = cg_client_oscore_load(name, reader->config->key_files_may_be_shared, &file, &mistakes);
    if (err != CG_OK && err != CG_E_FORMAT) reader->out_of_memory = true;
    for (const struct cg_mistake *it = mistakes.first; it != NULL; it = it->next)
        cg_mistake_at(reader, at, it->pointer[0] == 0 ? "%s%s: %s" : "%s at %s: %s", name, it->pointer, it->message);
    cg_mistakes_fini(&mistakes);
    if (err < 0) return;
    take_context(psks, reader, at, &file.keys, oscore);
    cg_client_oscore_file_fini(&file);
}

static void print_psk(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_psk *psk = (const void *)((const char *)target + row->offset);
    if (psk->identity != NULL) cg_print_object(out, row, target);
}

const struct cg_kind cg_kind_psk = {.shape = CG_SHAPE_OBJECT, .print = print_psk, .json = "'type': 'object'"};

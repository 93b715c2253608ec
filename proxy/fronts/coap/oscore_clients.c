/* Contexts by what is in them. The hard thing: settings come and go, and a window must not be valid again because its
 * client was taken out and put in; so a context that left the table never comes back, and a new one begins anew. */
#include "fronts/coap/oscore_clients.h"

#include <stdlib.h>

#include "base/check.h"
#include "settings/client_oscore.h"

static int make_context(struct cg_oscore_client *client, const struct cg_client_oscore *keys) {
    struct cg_oscore_params params;
    struct cg_oscore_sender_params own;
    cg_client_oscore_params(keys, &params, &own);
    int err = cg_oscore_context_new(&client->context, &params, NULL);
    if (err < 0) return err;
    return cg_oscore_peer_add(client->context, keys->recipient_id, CG_SLICE_NONE, CG_OSCORE_WINDOW_LOST, &client->peer,
                              NULL);
}

static void free_client(struct cg_oscore_client *client) {
    cg_sender_unref(client->sender);
    if (client->context != NULL) cg_oscore_context_unref(client->context);
    free(client);
}

static struct cg_oscore_client *new_client(struct cg_senders *senders, const struct cg_client_oscore *keys) {
    struct cg_sender_id id = {.former = {0}};
    struct cg_oscore_client *client = calloc(1, sizeof *client);
    if (client == NULL) return NULL;
    client->refs = 1;
    memcpy(client->digest, keys->digest, sizeof client->digest);
    int err = make_context(client, keys);
    if (err == CG_OK) err = cg_oscore_sender_fingerprint(client->context, id.bytes);
    if (err == CG_OK) client->sender = cg_senders_get(senders, &id);
    if (client->sender != NULL) return client;
    free_client(client);
    return NULL;
}

struct cg_oscore_client *cg_oscore_clients_get(struct cg_oscore_clients *clients, const struct cg_client_oscore *keys) {
    struct cg_oscore_client *client;
    HASH_FIND(hh, clients->table, keys->digest, sizeof keys->digest, client);
    if (client != NULL) return client;
    client = new_client(clients->senders, keys);
    if (client == NULL) return NULL;
    HASH_ADD(hh, clients->table, digest, sizeof client->digest, client);
    if (CG_HASH_HAS(hh, client)) return client;
    free_client(client);
    return NULL;
}

struct cg_oscore_client *cg_oscore_client_ref(struct cg_oscore_client *client) {
    client->refs++;
    return client;
}

void cg_oscore_client_unref(struct cg_oscore_client *client) {
    CG_CHECK(client->refs > 0);
    if (--client->refs == 0) free_client(client);
}

static void drop(struct cg_oscore_clients *clients, struct cg_oscore_client *client) {
    HASH_DELETE(hh, clients->table, client);
    cg_oscore_client_unref(client);
}

void cg_oscore_clients_tidy(struct cg_oscore_clients *clients, const struct cg_config *config) {
    struct cg_oscore_client *client, *next;
    HASH_ITER(hh, clients->table, client, next) {
        if (cg_oscore_client_in(client, config) == NULL) drop(clients, client);
    }
}

void cg_oscore_clients_fini(struct cg_oscore_clients *clients) {
    struct cg_oscore_client *client, *next;
    HASH_ITER(hh, clients->table, client, next) drop(clients, client);
}

const struct cg_client *cg_oscore_client_in(const struct cg_oscore_client *client, const struct cg_config *config) {
    const struct cg_client *known = cg_config_client_by_oscore(config, cg_oscore_peer_id(client->peer));
    bool is_same = known != NULL && memcmp(known->oscore.digest, client->digest, sizeof client->digest) == 0;
    return is_same ? known : NULL;
}

static bool is_asked_at(const struct cg_oscore_client *client, const struct cg_addr *at) {
    return cg_addr_equal(&client->asked_at, at);
}

void cg_oscore_client_asked(struct cg_oscore_client *client, const struct cg_addr *at) {
    bool is_other = client->asked == CG_OSCORE_ASKED_ONE && !is_asked_at(client, at);
    if (client->asked == CG_OSCORE_ASKED_NOBODY) {
        client->asked = CG_OSCORE_ASKED_ONE;
        client->asked_at = *at;
    } else if (is_other) {
        client->asked = CG_OSCORE_ASKED_SEVERAL;
    }
}

bool cg_oscore_client_met(struct cg_oscore_client *client, const struct cg_addr *at) {
    bool proves = client->asked == CG_OSCORE_ASKED_ONE && is_asked_at(client, at);
    client->asked = CG_OSCORE_ASKED_NOBODY;
    return proves;
}

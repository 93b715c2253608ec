/* The clients and how each proves itself. The hard thing: a hash must lead to one client only, so no two may share one.
 */
#include "settings/passes.h"
#include "settings/psk.h"
#include "settings/rows.h"

static void read_role(struct cg_reader *reader, const struct cg_at *at, const struct cg_row *row, const json_t *json,
                      void *target) {
    struct cg_client *client = target;
    const char *text = cg_read_text(reader, at, json);
    (void)row;
    for (enum cg_role role = CG_ROLE_VIEWER; text != NULL && role <= CG_ROLE_ADMIN; role++)
        if (strcmp(text, cg_role_names[role]) == 0) client->role = role;
    if (text != NULL && client->role == CG_ROLE_NOBODY)
        cg_mistake_at(reader, at, "must be \"viewer\", \"operator\" or \"admin\"");
}

static void print_role(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_client *client = target;
    if (client->role != CG_ROLE_NOBODY) cg_out_text(out, row->key, cg_role_names[client->role]);
}

const struct cg_kind cg_kind_role = {
    .read = read_role, .print = print_role, .json = "'enum': ['viewer', 'operator', 'admin']"};

static void check_name(struct cg_reader *reader, const struct cg_at *at, const char *name) {
    if (strcmp(name, "anonymous") == 0) {
        cg_mistake_at(reader, at, "\"anonymous\" stands for clients that are not known: choose another name");
    } else if (!cg_name_is_valid(name)) {
        cg_mistake_at(reader, at, "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins with a letter or digit");
    }
}

/* `psks` NULL: it may have no secrets, as they are in files. */
static void read_client(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct cg_psks *psks,
                        struct cg_client *client) {
    struct cg_at child;
    check_name(reader, at, at->key);
    if (!cg_read_object(reader, at, &cg_client_rows, json, client)) return;
    const json_t *tokens = cg_read_member(at, json, "token_sha256", &child);
    client->token_count = cg_passes_read(reader, &child, tokens, CG_UNIQUE_TOKEN, &client->tokens);
    const json_t *certificates = cg_read_member(at, json, "certificate_sha256", &child);
    client->certificate_count =
        cg_passes_read(reader, &child, certificates, CG_UNIQUE_CERTIFICATE, &client->certificates);
    const json_t *psk = cg_read_member(at, json, "psk", &child);
    if (psk != NULL && psks != NULL) cg_psk_read(psks, reader, &child, psk, &client->psk);
    const json_t *oscore = cg_read_member(at, json, "oscore", &child);
    if (oscore != NULL && psks != NULL) cg_client_oscore_read(psks, reader, &child, &client->oscore);
    if (json_object_size(json) == 0 && reader->origin == CG_ORIGIN_FILE)
        cg_mistake_at(reader, at, "needs \"token_sha256\", \"certificate_sha256\", \"psk\" or \"oscore\"");
}

/* NULL: no memory. */
static struct cg_client *add_client(struct cg_reader *reader, const char *name) {
    struct cg_config *config = reader->config;
    struct cg_client *client = &config->clients[config->client_count];
    client->name = cg_keep_text(reader, cg_slice_str(name));
    if (client->name == NULL) return NULL;
    config->client_count++;
    return client;
}

void cg_read_clients(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    if (!json_is_object(json)) {
        cg_mistake_at(reader, at, "must be an object of clients by name");
        return;
    }
    struct cg_config *config = reader->config;
    struct cg_psks psks;
    size_t count = json_object_size(json) + reader->room[CG_ITEM_CLIENT];
    config->clients = cg_keep_array(reader, count, sizeof *config->clients);
    if (config->clients == NULL) return;
    cg_psks_init(&psks, reader, json);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value) {
        struct cg_at child = {.up = at, .key = name};
        struct cg_client *client = add_client(reader, name);
        if (client == NULL) break;
        read_client(reader, &child, value, &psks, client);
    }
    cg_psks_fini(&psks);
    if (!cg_config_index_clients(config)) reader->out_of_memory = true;
}

void cg_read_client(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    struct cg_client *client = add_client(reader, at->key);
    if (client != NULL) {
        *client = (struct cg_client){.name = client->name, .is_stored = true};
        read_client(reader, at, json, NULL, client);
    }
}

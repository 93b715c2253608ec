/* How this gateway shows next hops who it is, and knows them. The hard thing: what is in the files is for whoever makes
 * connections (hops/credentials.c); here it is said which files there are, and that they make sense together. */
#include "settings/rows.h"

static void read_psk(struct cg_reader *reader, const struct cg_at *at, const json_t *json, struct cg_psk *psk) {
    struct cg_at child;
    if (!cg_read_object(reader, at, &cg_own_psk_rows, json, psk)) return;
    const json_t *identity = cg_read_member(at, json, "identity", &child);
    const char *text = identity == NULL ? NULL : cg_read_text(reader, &child, identity);
    if (identity == NULL) cg_mistake_missing(reader, at, "identity", "needs \"identity\"");
    if (text != NULL && (*text == '\0' || strlen(text) > CG_PSK_IDENTITY_MAX))
        cg_mistake_at(reader, &child, "must be 1 to %d bytes", CG_PSK_IDENTITY_MAX);
    psk->identity = text == NULL ? NULL : cg_keep_text(reader, cg_slice_str(text));
    if (psk->key_file == NULL) cg_mistake_missing(reader, at, "key_file", "needs \"key_file\"");
}

static void check(struct cg_reader *reader, const struct cg_at *at, const struct cg_credentials *credentials,
                  bool has_psk) {
    if (has_psk == (credentials->ca != NULL))
        cg_mistake_at(reader, at, "needs either \"psk\" or \"ca\", by which the next hop is known");
    if (has_psk && credentials->certificate != NULL)
        cg_mistake_at(reader, at, "\"certificate\" goes with \"ca\": with \"psk\" the key shows who this gateway is");
    if ((credentials->certificate == NULL) != (credentials->key == NULL))
        cg_mistake_at(reader, at, "needs both \"certificate\" and \"key\", or neither");
}

static void read_one(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                     struct cg_credentials *credentials) {
    struct cg_at child;
    if (!cg_name_is_valid(at->key))
        cg_mistake_at(reader, at, "a name is 1 to 64 of a-z, 0-9, '.', '_', '-', and begins with a letter or digit");
    if (!cg_read_object(reader, at, &cg_credentials_rows, json, credentials)) return;
    const json_t *psk = cg_read_member(at, json, "psk", &child);
    if (psk != NULL) read_psk(reader, &child, psk, &credentials->psk);
    check(reader, at, credentials, psk != NULL);
}

void cg_read_credentials(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    struct cg_config *config = reader->config;
    if (!json_is_object(json)) {
        cg_mistake_at(reader, at, "must be an object of credentials by name");
        return;
    }
    config->credentials = cg_keep_array(reader, json_object_size(json), sizeof *config->credentials);
    if (config->credentials == NULL) return;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)json, name, value) {
        struct cg_at child = {.up = at, .key = name};
        struct cg_credentials *credentials = &config->credentials[config->credentials_count];
        credentials->name = cg_keep_text(reader, cg_slice_str(name));
        if (credentials->name == NULL) return;
        config->credentials_count++;
        HASH_ADD_KEYPTR(hh, config->credentials_by_name, credentials->name, strlen(credentials->name), credentials);
        if (!CG_HASH_HAS(hh, credentials)) reader->out_of_memory = true;
        read_one(reader, &child, value, credentials);
    }
}

/* castgate-keys: makes an OSCORE group's key files and changes them, and makes a client's. What the keys are is the
 * layer keys/'s, how they change in tools/keys/change.c, how files are replaced in tools/keys/folder.c. The hard thing:
 * nothing may be written before everything is known to be right, since keys that were given out cannot be taken back.
 */
#include "keys/client.h"
#include "settings/client_oscore.h"
#include "settings/security_group.h"
#include "store/sqlite.h"
#include "tools/keys/change.h"
#include "tools/keys/folder.h"
#include "tools/keys/report.h"

#include <stdio.h>
#include <sys/resource.h>

static int command_new(const struct cg_keys_options *options) {
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *document;
    int err = cg_keyring_new(&document, &options->ring, error);
    cg_keys_explain(err, error);
    if (err != CG_OK) return cg_keys_complain(error);
    int status = cg_keys_check("the group", document);
    if (status == 0) {
        err = cg_keys_folder_make(options->path, document, error);
        cg_keys_explain(err, error);
        if (err != CG_OK) status = cg_keys_complain(error);
    }
    if (status == 0) {
        const char *peers = json_string_value(json_object_get(document, "member_peers"));
        (void)printf("%s: keys for the gateway and %u member%s\n", options->path, (unsigned)options->ring.members,
                     options->ring.members == 1 ? "" : "s");
        if (strcmp(peers, "gateway") == 0)
            (void)puts(
                "the members' files hold the gateway's credential only (--member-peers all makes them hold all)");
    }
    json_decref(document);
    return status;
}

static int make_client(const struct cg_keys_options *options, char *error) {
    struct cg_keys_client keys;
    const struct cg_keys_client_options wanted = {
        .alg_aead = options->ring.alg_aead, .hkdf = options->ring.hkdf, .id = options->id};
    int err = cg_keys_client_new(&keys, &wanted, error);
    if (err != CG_OK) return err;
    const struct cg_keys_file files[] = {{"gateway.json", keys.gateway}, {"client.json", keys.client}};
    err = cg_keys_folder_make_of(options->path, files, sizeof files / sizeof *files, error);
    cg_keys_client_fini(&keys);
    return err;
}

static int command_client(const struct cg_keys_options *options) {
    char error[CG_KEYS_ERROR_MAX] = "";
    int err = make_client(options, error);
    cg_keys_explain(err, error);
    if (err != CG_OK) return cg_keys_complain(error);
    (void)printf("%s: gateway.json for the gateway, to be claimed, and client.json for the client\n", options->path);
    return 0;
}

static int claim_in(const char *state, const struct cg_sender_id *sender) {
    struct cg_problem problem;
    return cg_sqlite_claim(state, sender, &problem) == CG_OK ? 0 : cg_keys_complain(problem.detail);
}

static int load_group_sender(const struct cg_keys_options *options, struct cg_sender_id *sender,
                             struct cg_mistakes *mistakes) {
    struct cg_security_group *group;
    int err = cg_security_group_load(options->path, CG_GROUP_FILE_MEMBER, options->may_be_shared, &group, mistakes);
    if (err == CG_OK) err = cg_security_group_sender_id(group, &group->self, sender);
    cg_security_group_free(group);
    return err;
}

/* An OSCORE context with one client; CG_E_NOT_FOUND: the file is no such thing. */
static int load_client_sender(const struct cg_keys_options *options, struct cg_sender_id *sender) {
    struct cg_client_oscore_file file;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_client_oscore_load(options->path, options->may_be_shared, &file, &mistakes);
    cg_mistakes_fini(&mistakes);
    if (err < 0) return err == CG_E_FORMAT ? CG_E_NOT_FOUND : err;
    err = cg_client_oscore_sender_id(&file.keys, sender);
    cg_client_oscore_file_fini(&file);
    return err;
}

static int command_claim(const struct cg_keys_options *options) {
    struct cg_mistakes mistakes;
    struct cg_sender_id sender;
    int status = -1;
    cg_mistakes_init(&mistakes);
    int err = load_client_sender(options, &sender);
    if (err == CG_E_NOT_FOUND) err = load_group_sender(options, &sender, &mistakes);
    if (err == CG_OK) {
        status = claim_in(options->state, &sender);
    } else if (err == CG_E_FORMAT) {
        (void)cg_keys_list_mistakes(options->path, &mistakes);
    } else {
        (void)cg_keys_complain(cg_err_info(err)->text);
    }
    if (status == 0)
        (void)printf(
            "%s: claimed in %s; you said that this key has never sent (claimed there before, it keeps its numbers)\n",
            options->path, options->state);
    cg_mistakes_fini(&mistakes);
    return status;
}

int main(int argc, char *argv[]) {
    struct cg_keys_options options;
    char error[CG_KEYS_ERROR_MAX];
    const struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none); /* a core file would be full of keys */
    if (cg_keys_options_parse(&options, argc, (const char *const *)argv, error) != CG_OK) {
        (void)cg_keys_complain(error);
        return 2;
    }
    int status = 0;
    switch (options.command) {
    case CG_KEYS_HELP: status = fputs(cg_keys_usage, stdout) < 0 ? -1 : 0; break;
    case CG_KEYS_NEW: status = command_new(&options); break;
    case CG_KEYS_CLIENT: status = command_client(&options); break;
    case CG_KEYS_ADD:
    case CG_KEYS_REKEY:
    case CG_KEYS_NEW_SENDER_ID:
    case CG_KEYS_FINISH: status = cg_keys_change(&options); break;
    case CG_KEYS_CLAIM: status = command_claim(&options); break;
    }
    return status == 0 && fflush(stdout) == 0 ? 0 : 1;
}

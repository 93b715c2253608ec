/* castgate-keys: makes an OSCORE group's key files and changes them. What the keys are is in keys/keyring.c, how files
 * are replaced in keys/folder.c. The hard thing: nothing may be written before everything is known to be right, since
 * keys that were given out cannot be taken back. */
#include "settings/security_group.h"
#include "store/sqlite.h"
#include "tools/keys/folder.h"

#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>

static int complain(const char *what) {
    (void)fprintf(stderr, "castgate-keys: %s\n", what);
    return -1;
}

/* An error of the functions below that has no sentence of its own. */
static void explain(int err, char *error) {
    if (err == CG_E_NO_MEMORY || err == CG_E_INTERNAL)
        (void)snprintf(error, CG_KEYS_ERROR_MAX, "%s", cg_err_info(err)->text);
}

static int list_mistakes(const char *file, const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *mistake = mistakes->first; mistake != NULL; mistake = mistake->next)
        (void)fprintf(stderr, "castgate-keys: %s%s%s: %s\n", file, *mistake->pointer == '\0' ? "" : " ",
                      mistake->pointer, mistake->message);
    if (mistakes->count > mistakes->listed)
        (void)fprintf(stderr, "castgate-keys: and %zu more\n", mistakes->count - mistakes->listed);
    return -1;
}

/* Whether every party could use the document. */
static int check(const char *name, const json_t *document) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_read(document, CG_GROUP_FILE_MANAGER, &group, &mistakes), status = 0;
    if (err == CG_E_FORMAT)
        status = list_mistakes(name, &mistakes);
    else if (err != CG_OK)
        status = complain(cg_err_info(err)->text);
    cg_mistakes_fini(&mistakes);
    cg_security_group_free(group);
    return status;
}

static int command_new(const struct cg_keys_options *options) {
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *document;
    int err = cg_keyring_new(&document, options, error);
    explain(err, error);
    if (err != CG_OK) return complain(error);
    int status = check("the group", document);
    if (status == 0) {
        err = cg_keys_folder_make(options->path, document, error);
        explain(err, error);
        if (err != CG_OK) status = complain(error);
    }
    if (status == 0) {
        const char *peers = json_string_value(json_object_get(document, "member_peers"));
        (void)printf("%s: keys for the gateway and %u member%s\n", options->path, (unsigned)options->members,
                     options->members == 1 ? "" : "s");
        if (strcmp(peers, "gateway") == 0)
            (void)puts(
                "the members' files hold the gateway's credential only (--member-peers all makes them hold all)");
    }
    json_decref(document);
    return status;
}

/* DIR/group.json, checked; NULL when it cannot be used. */
static json_t *read_group(const char *folder) {
    char name[PATH_MAX];
    struct cg_secret_text text;
    struct cg_mistakes mistakes;
    json_t *document = NULL;
    (void)snprintf(name, sizeof name, "%s/group.json", folder);
    cg_mistakes_init(&mistakes);
    if (cg_secret_read(&text, name, false, &mistakes) == CG_OK) {
        document = cg_secret_json(cg_secret_slice(&text), &mistakes);
        cg_secret_free(&text);
    }
    if (mistakes.count > 0)
        (void)list_mistakes(name, &mistakes);
    else if (document == NULL)
        (void)complain("no memory");
    cg_mistakes_fini(&mistakes);
    if (document == NULL || check(name, document) == 0) return document;
    json_decref(document);
    return NULL;
}

/* Changes the document as the command says; `gone` gets the Sender IDs of those that were evicted. */
static int change(json_t *document, const struct cg_keys_options *options, json_t *gone) {
    char error[CG_KEYS_ERROR_MAX] = "";
    int err = CG_OK;
    if (options->command == CG_KEYS_ADD) err = cg_keyring_add(document, options, error);
    if (err == CG_OK && !options->no_rekey) err = cg_keyring_rekey(document, options, gone, error);
    explain(err, error);
    return err == CG_OK ? check("the changed group", document) : complain(error);
}

static void report(const struct cg_keys_options *options, json_t *document, size_t count_before, const json_t *gone) {
    const json_t *members = json_object_get(document, "members");
    const char *gid = json_string_value(json_object_get(json_object_get(document, "common"), "gid"));
    char file[CG_KEYRING_NAME_MAX];
    for (size_t i = 0; i < json_array_size(gone); i++) {
        cg_keyring_member_file(json_string_value(json_array_get(gone, i)), file);
        (void)printf("evicted: %s\n", file);
    }
    for (size_t i = options->command == CG_KEYS_ADD ? count_before : SIZE_MAX; i < json_array_size(members); i++) {
        cg_keyring_member_file(json_string_value(json_object_get(json_array_get(members, i), "sender_id")), file);
        (void)printf("new: %s\n", file);
    }
    if (options->no_rekey)
        (void)printf("not rekeyed: the new members can read everything that is or was sent under Gid %s\n", gid);
    else
        (void)printf("rekeyed: Gid %s; every party needs its new file, and the gateway's new key, which has never "
                     "sent, is to be claimed\n",
                     gid);
}

static int change_folder(int folder, const struct cg_keys_options *options) {
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *document = read_group(options->path), *gone = json_array();
    size_t before = json_array_size(json_object_get(document, "members"));
    int status = document == NULL || gone == NULL ? -1 : change(document, options, gone);
    if (status == 0) {
        int err = cg_keys_folder_change(folder, document, gone, error);
        explain(err, error);
        if (err != CG_OK) status = complain(error);
    }
    if (status == 0) report(options, document, before, gone);
    json_decref(gone);
    json_decref(document);
    return status;
}

static int command_change(const struct cg_keys_options *options) {
    char error[CG_KEYS_ERROR_MAX] = "";
    bool completed;
    int folder, status = 0;
    int err = cg_keys_folder_open(options->path, &folder, &completed, error);
    explain(err, error);
    if (err != CG_OK) return complain(error);
    if (completed) (void)puts("completed a change that had been interrupted");
    if (options->command != CG_KEYS_FINISH) status = change_folder(folder, options);
    cg_keys_folder_close(folder);
    return status;
}

static int claim_in(const char *state, const struct cg_sender_id *sender) {
    struct cg_problem problem;
    return cg_sqlite_claim(state, sender, &problem) == CG_OK ? 0 : complain(problem.detail);
}

static int command_claim(const struct cg_keys_options *options) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    int status = -1;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_load(options->path, CG_GROUP_FILE_MEMBER, options->may_be_shared, &group, &mistakes);
    if (err == CG_OK) {
        struct cg_sender_id sender;
        err = cg_security_group_sender_id(group, &group->self, &sender);
        status = err == CG_OK ? claim_in(options->state, &sender) : complain(cg_err_info(err)->text);
    } else if (err == CG_E_FORMAT) {
        (void)list_mistakes(options->path, &mistakes);
    } else {
        (void)complain(cg_err_info(err)->text);
    }
    if (status == 0)
        (void)printf(
            "%s: claimed in %s; you said that this key has never sent (claimed there before, it keeps its numbers)\n",
            options->path, options->state);
    cg_mistakes_fini(&mistakes);
    cg_security_group_free(group);
    return status;
}

int main(int argc, char *argv[]) {
    struct cg_keys_options options;
    char error[CG_KEYS_ERROR_MAX];
    const struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none); /* a core file would be full of keys */
    if (cg_keys_options_parse(&options, argc, (const char *const *)argv, error) != CG_OK) {
        (void)complain(error);
        return 2;
    }
    int status = 0;
    switch (options.command) {
    case CG_KEYS_HELP: status = fputs(cg_keys_usage, stdout) < 0 ? -1 : 0; break;
    case CG_KEYS_NEW: status = command_new(&options); break;
    case CG_KEYS_ADD:
    case CG_KEYS_REKEY:
    case CG_KEYS_FINISH: status = command_change(&options); break;
    case CG_KEYS_CLAIM: status = command_claim(&options); break;
    }
    return status == 0 && fflush(stdout) == 0 ? 0 : 1;
}

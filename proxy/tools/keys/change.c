/* How a group's folder changes: the next keys are prepared beside the current ones, and become them. The hard thing:
 * whoever is interrupted, or does things twice, must lose nothing, and nobody may get two keys under one Gid. So keys
 * that were prepared are there until they are finished or given up on purpose, and what comes instead of them has a
 * Gid behind theirs. */
#include "tools/keys/change.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "settings/secret.h"
#include "tools/keys/folder.h"
#include "tools/keys/report.h"

struct change {
    const struct cg_keys_options *options;
    int folder;
    json_t *current;  /* group.json */
    json_t *prepared; /* group.next.json; NULL: no rekey is prepared */
};

static json_t *read_document(const char *name) {
    struct cg_secret_text text;
    struct cg_mistakes mistakes;
    json_t *document = NULL;
    cg_mistakes_init(&mistakes);
    if (cg_secret_read(&text, name, false, &mistakes) == CG_OK) {
        document = cg_secret_json(cg_secret_slice(&text), &mistakes);
        cg_secret_free(&text);
    }
    if (mistakes.count > 0)
        (void)cg_keys_list_mistakes(name, &mistakes);
    else if (document == NULL)
        (void)cg_keys_complain("no memory");
    cg_mistakes_fini(&mistakes);
    if (document == NULL || cg_keys_check(name, document) == 0) return document;
    json_decref(document);
    return NULL;
}

static void name_in(const char *folder, enum cg_keyring_epoch epoch, char name[PATH_MAX]) {
    (void)snprintf(name, PATH_MAX, "%s/group%s.json", folder, epoch == CG_KEYRING_NEXT ? ".next" : "");
}

/* Both documents, checked. */
static int read_documents(struct change *change) {
    char name[PATH_MAX];
    name_in(change->options->path, CG_KEYRING_CURRENT, name);
    change->current = read_document(name);
    if (change->current == NULL) return -1;
    name_in(change->options->path, CG_KEYRING_NEXT, name);
    if (access(name, F_OK) != 0) return errno == ENOENT ? 0 : cg_keys_complain_about(name, strerror(errno));
    change->prepared = read_document(name);
    return change->prepared == NULL ? -1 : 0;
}

/* The names of the document's files in that epoch go into `names`. */
static bool note_files(json_t *names, const json_t *document, enum cg_keyring_epoch epoch) {
    char name[CG_KEYRING_NAME_MAX];
    for (size_t i = 0; cg_keyring_file_name(document, i, epoch, name); i++)
        if (json_object_set_new(names, name, json_true()) != 0) return false;
    return true;
}

/* And out of it. */
static void strike_files(json_t *names, const json_t *document, enum cg_keyring_epoch epoch) {
    char name[CG_KEYRING_NAME_MAX];
    for (size_t i = 0; cg_keyring_file_name(document, i, epoch, name); i++) (void)json_object_del(names, name);
}

/* Writes the document as that epoch; of the files in `names` those go that it does not have. */
static int put_in_folder(const struct change *change, json_t *document, enum cg_keyring_epoch epoch, json_t *names) {
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *gone = json_array(), *unused;
    const char *name;
    int err = gone == NULL ? CG_E_NO_MEMORY : CG_OK;
    strike_files(names, document, epoch);
    json_object_foreach(names, name, unused) {
        if (err == CG_OK && json_array_append_new(gone, json_string(name)) != 0) err = CG_E_NO_MEMORY;
    }
    if (err == CG_OK) err = cg_keys_folder_change(change->folder, document, epoch, gone, error);
    json_decref(gone);
    cg_keys_explain(err, error);
    return err == CG_OK ? 0 : cg_keys_complain(error);
}

/* Writes the document as that epoch; the files of `before` that it does not have go. */
static int store(const struct change *change, json_t *document, enum cg_keyring_epoch epoch, const json_t *before) {
    json_t *names = json_object();
    bool ok = names != NULL && note_files(names, before, epoch);
    int status =
        ok ? put_in_folder(change, document, epoch, names) : cg_keys_complain(cg_err_info(CG_E_NO_MEMORY)->text);
    json_decref(names);
    return status;
}

/* Changes the document as the command says. */
static int edit(const struct change *change, json_t *document) {
    char error[CG_KEYS_ERROR_MAX] = "";
    const struct cg_keys_options *options = change->options;
    const json_t *before = change->prepared == NULL ? document : change->prepared;
    bool rekeys = options->command != CG_KEYS_NEW_SENDER_ID && !options->no_rekey;
    int err = CG_OK;
    if (options->command == CG_KEYS_ADD) err = cg_keyring_add(document, &options->ring, error);
    if (options->command == CG_KEYS_NEW_SENDER_ID) err = cg_keyring_new_sender_id(document, before, error);
    if (err == CG_OK && rekeys) err = cg_keyring_rekey(document, &options->ring, before, error);
    cg_keys_explain(err, error);
    return err == CG_OK ? cg_keys_check("the changed group", document) : cg_keys_complain(error);
}

static void report_new(const json_t *document, size_t before, enum cg_keyring_epoch epoch) {
    const json_t *members = json_object_get(document, "members");
    char file[CG_KEYRING_NAME_MAX];
    for (size_t i = before; i < json_array_size(members); i++) {
        cg_keyring_member_file(json_string_value(json_object_get(json_array_get(members, i), "sender_id")), epoch,
                               file);
        (void)printf("new: %s\n", file);
    }
}

static const char *gid_of(const json_t *document) {
    return json_string_value(json_object_get(json_object_get(document, "common"), "gid"));
}

static void report_prepared(const struct change *change, const json_t *document) {
    const struct cg_keys_options *options = change->options;
    for (size_t i = 0; i < options->ring.evict_count; i++) (void)printf("without: %s\n", options->ring.evict[i]);
    if (options->command == CG_KEYS_NEW_SENDER_ID)
        (void)printf("the gateway's new Sender ID: %s\n",
                     json_string_value(json_object_get(json_object_get(document, "gateway"), "sender_id")));
    (void)printf("prepared: Gid %s, in files named *.next.json; the files in use are unchanged. What is left to do:\n"
                 "  castgate-keys claim %s/gateway.next.json --state DIR    (the gateway's state folder)\n"
                 "  \"next\": \"%s/gateway.next.json\" in the gateway's settings, and a reload\n"
                 "  its member-ID.next.json for each member\n"
                 "  castgate-keys finish %s, and a reload\n",
                 gid_of(document), options->path, options->path, options->path);
}

static void report_joined(const json_t *document) {
    (void)printf("not rekeyed: the new members can read everything that is or was sent under Gid %s. The gateway "
                 "knows them after a reload\n",
                 gid_of(document));
}

static size_t member_count(const json_t *document) { return json_array_size(json_object_get(document, "members")); }

static int change_group(const struct change *change) {
    enum cg_keyring_epoch epoch = change->options->no_rekey ? CG_KEYRING_CURRENT : CG_KEYRING_NEXT;
    if (change->prepared != NULL && !change->options->replace)
        return cg_keys_complain(
            "a rekey is prepared already: castgate-keys finish makes it the one in use; --replace gives it "
            "up");
    json_t *document = json_deep_copy(change->current);
    int status = document == NULL ? cg_keys_complain(cg_err_info(CG_E_NO_MEMORY)->text) : edit(change, document);
    if (status == 0) status = store(change, document, epoch, epoch == CG_KEYRING_NEXT ? change->prepared : NULL);
    if (status == 0) report_new(document, member_count(change->current), epoch);
    if (status == 0 && epoch == CG_KEYRING_NEXT) report_prepared(change, document);
    if (status == 0 && epoch == CG_KEYRING_CURRENT) report_joined(document);
    json_decref(document);
    return status;
}

/* What is prepared becomes what is in use, and nothing is prepared any more. */
static int promote(const struct change *change) {
    json_t *names = json_object();
    bool ok = names != NULL && note_files(names, change->current, CG_KEYRING_CURRENT) &&
              note_files(names, change->prepared, CG_KEYRING_NEXT);
    int status = ok ? put_in_folder(change, change->prepared, CG_KEYRING_CURRENT, names)
                    : cg_keys_complain(cg_err_info(CG_E_NO_MEMORY)->text);
    json_decref(names);
    if (status == 0)
        (void)printf("in use: Gid %s; the gateway sends under it after a reload, or when it starts\n",
                     gid_of(change->prepared));
    return status;
}

static int finish(const struct change *change) {
    if (change->prepared != NULL) return promote(change);
    (void)puts("no rekey is prepared: nothing to do");
    return 0;
}

static int change_folder(int folder, const struct cg_keys_options *options) {
    struct change change = {.options = options, .folder = folder};
    int status = read_documents(&change);
    if (status == 0) status = options->command == CG_KEYS_FINISH ? finish(&change) : change_group(&change);
    json_decref(change.current);
    json_decref(change.prepared);
    return status;
}

int cg_keys_change(const struct cg_keys_options *options) {
    char error[CG_KEYS_ERROR_MAX] = "";
    bool completed;
    int folder, status = 0;
    int err = cg_keys_folder_open(options->path, &folder, &completed, error);
    cg_keys_explain(err, error);
    if (err != CG_OK) return cg_keys_complain(error);
    if (completed) (void)puts("completed a change that had been interrupted");
    /* Who finishes a rekey that was interrupted has not given its keys to anybody yet. */
    if (!completed || options->command != CG_KEYS_FINISH) status = change_folder(folder, options);
    cg_keys_folder_close(folder);
    return status;
}

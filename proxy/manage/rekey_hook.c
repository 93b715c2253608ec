/* A program of others, and what it is told. The hard thing: what it is told are keys, so they are opened on its thread,
 * as late as can be, and are in locked memory until it has them. */
#include "manage/rekey_hook.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/log.h"
#include "io/child.h"
#include "keys/document.h"
#include "keys/keyring.h"
#include "manage/group_work.h"
#include "settings/secret.h"

struct cg_rekey_hook {
    struct cg_manage *manage;
    const struct cg_seal *seal;
    struct cg_worker *worker;
    struct telling *tellings; /* utlist */
    unsigned count;
    atomic_bool stopping;
};

/* One call of the program. */
struct telling {
    struct cg_rekey_hook *hook;
    struct cg_work work;
    struct cg_change change; /* that the members have their files */
    struct cg_config *config;
    struct cg_item *keys;
    enum cg_rekey_event event;
    char group[CG_NAME_MAX + 1];
    char target[sizeof "security-groups/" + CG_NAME_MAX];
    struct cg_author author;
    struct cg_problem problem;
    int err;
    bool has_change;
    struct telling *prev, *next;
};

static const char *const events[] = {[CG_REKEY_PREPARED] = "prepared", [CG_REKEY_ACTIVATED] = "activated"};

static void end(struct telling *telling) {
    DL_DELETE(telling->hook->tellings, telling);
    telling->hook->count--;
    if (telling->has_change) cg_change_fini(&telling->change);
    cg_config_unref(telling->config);
    cg_item_unref(telling->keys);
    free(telling);
}

/* ---- On its thread ---- */

enum { FIRST_MEMBER = 2 }; /* group.json and gateway.json come before */

static bool add_files(json_t *files, json_t *keys) {
    const json_t *members = json_object_get(keys, "members");
    for (size_t i = 0; i < json_array_size(members); i++) {
        const char *id = cg_keys_text(json_array_get(members, i), "sender_id");
        if (!cg_keys_set(files, id, cg_keyring_file(keys, FIRST_MEMBER + i))) return false;
    }
    return true;
}

static int put_files(struct telling *telling, json_t *files) {
    json_t *keys;
    if (telling->event != CG_REKEY_PREPARED) return CG_OK;
    int err = cg_sealed_keys_open(telling->hook->seal, telling->keys, &keys, &telling->problem);
    if (err < 0) return err;
    err = add_files(files, keys) ? CG_OK : cg_problem_no_memory(&telling->problem);
    json_decref(keys);
    return err;
}

static int print_story(struct telling *telling, const char *gid, struct cg_secret_text *text) {
    json_t *story = json_object(), *files = json_object();
    bool ok = cg_keys_set(story, "group", json_string(telling->group)) &&
              cg_keys_set(story, "event", json_string(events[telling->event])) &&
              cg_keys_set(story, "gid", json_string(gid)) && json_object_set(story, "files", files) == 0;
    int err = ok ? put_files(telling, files) : cg_problem_no_memory(&telling->problem);
    if (err == CG_OK && cg_secret_print(text, story) < 0) err = cg_problem_no_memory(&telling->problem);
    json_decref(files);
    json_decref(story);
    return err;
}

/* The program with its arguments, and NULL behind them. */
static const char **arguments(const struct cg_config *config) {
    const char **argv = calloc(config->after_rekey_count + 1, sizeof *argv);
    for (size_t i = 0; argv != NULL && i < config->after_rekey_count; i++) argv[i] = config->after_rekey[i];
    return argv;
}

static int run_program(struct telling *telling, const char *gid, struct cg_slice story) {
    char group[sizeof "CASTGATE_GROUP=" + CG_NAME_MAX], event[sizeof "CASTGATE_EVENT=activated"], named[128];
    const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", group, event, named,
                               NULL};
    const char **argv = arguments(telling->config);
    if (argv == NULL) return cg_problem_no_memory(&telling->problem);
    (void)snprintf(group, sizeof group, "CASTGATE_GROUP=%s", telling->group);
    (void)snprintf(event, sizeof event, "CASTGATE_EVENT=%s", events[telling->event]);
    (void)snprintf(named, sizeof named, "CASTGATE_GID=%s", gid);
    const struct cg_child child = {.argv = argv,
                                   .env = env,
                                   .input = story,
                                   .seconds = telling->config->hook_seconds,
                                   .cancelled = &telling->hook->stopping};
    int err = cg_child_run(&child, &telling->problem);
    free(argv);
    return err;
}

static void run(struct cg_work *work) {
    struct telling *telling = CG_CONTAINER(work, struct telling, work);
    struct cg_secret_text text;
    json_t *document = cg_group_document(telling->keys);
    const char *gid = cg_keys_text(document, "gid");
    telling->err = gid == NULL ? cg_problem_no_memory(&telling->problem) : print_story(telling, gid, &text);
    if (telling->err == CG_OK) {
        telling->err = run_program(telling, gid, cg_secret_slice(&text));
        cg_secret_free(&text);
    }
    json_decref(document);
}

/* ---- On the loop ---- */

static void tell_log(const struct telling *telling) {
    struct cg_log_line line;
    cg_log_begin(&line, telling->err == CG_OK ? CG_LOG_INFO : CG_LOG_ERROR, "hook");
    cg_log_str(&line, "security_group", telling->group);
    cg_log_str(&line, "about", events[telling->event]);
    cg_log_str(&line, "msg", telling->err == CG_OK ? "the program has ended well" : telling->problem.detail);
    cg_log_end(&line);
}

static int plan(struct cg_change *change, const struct cg_manage *manage) {
    const struct telling *telling = CG_CONTAINER(change, struct telling, change);
    const char *keys = telling->keys->name;
    char name[CG_NAME_MAX + 1];
    if (cg_manage_find(manage, CG_ITEM_KEYS, keys) == NULL) return CG_OK; /* given up meanwhile */
    cg_group_fetch_name(name, keys, CG_REKEY_HOOK_HAD);
    json_t *document = json_pack("{s:s,s:s}", "of", keys, "member", CG_REKEY_HOOK_HAD);
    int err = document == NULL ? CG_E_NO_MEMORY : cg_change_put(change, CG_ITEM_KEYS, name, document, CG_SLICE_NONE);
    json_decref(document);
    return err;
}

static void on_changed(struct cg_change *change) {
    struct telling *telling = CG_CONTAINER(change, struct telling, change);
    if (change->err < 0)
        cg_log(CG_LOG_ERROR, "hook", "security group %s: that its files were handed out cannot be kept: %s",
               telling->group, change->problem.detail);
    end(telling);
}

static void remember(struct telling *telling) {
    telling->has_change = true;
    telling->change = (struct cg_change){.plan = plan,
                                         .done = on_changed,
                                         .author = telling->author,
                                         .operation = "hooks.after_rekey",
                                         .target = telling->target,
                                         .undo = CG_UNDO_NEVER};
    cg_manage_change(telling->hook->manage, &telling->change);
}

static void on_run(struct cg_work *work) {
    struct telling *telling = CG_CONTAINER(work, struct telling, work);
    struct cg_rekey_hook *hook = telling->hook;
    tell_log(telling);
    if (telling->err == CG_OK && telling->event == CG_REKEY_PREPARED && !hook->stopping) {
        remember(telling);
        return;
    }
    cg_manage_note(hook->manage, &telling->author, "hooks.after_rekey", telling->target,
                   telling->err == CG_OK ? "done" : "failed", telling->err == CG_OK ? "" : telling->problem.detail);
    end(telling);
}

static struct telling *new_telling(struct cg_rekey_hook *hook, const char *group) {
    if (hook->count == CG_REKEY_HOOKS_WAITING) return NULL;
    struct telling *telling = calloc(1, sizeof *telling);
    if (telling == NULL) return NULL;
    telling->hook = hook;
    DL_APPEND(hook->tellings, telling);
    hook->count++;
    (void)snprintf(telling->group, sizeof telling->group, "%s", group);
    (void)snprintf(telling->target, sizeof telling->target, "security-groups/%s", group);
    return telling;
}

void cg_rekey_hook_run(struct cg_rekey_hook *hook, struct cg_config *config, enum cg_rekey_event event,
                       const char *group, const struct cg_item *keys, const struct cg_author *author) {
    if (config->after_rekey_count == 0 || hook->stopping) return;
    struct telling *telling = new_telling(hook, group);
    if (telling == NULL) {
        cg_log(CG_LOG_ERROR, "hook", "security group %s: too many rekeys at once, or no memory: nobody is told", group);
        cg_manage_note(hook->manage, author, "hooks.after_rekey", "security-groups", "failed", "too many at once");
        return;
    }
    telling->event = event;
    telling->config = cg_config_ref(config);
    telling->keys = cg_item_ref((struct cg_item *)(uintptr_t)keys);
    telling->author = *author;
    telling->work = (struct cg_work){.run = run, .done = on_run};
    cg_worker_do(hook->worker, &telling->work);
}

/* ---- Life ---- */

struct cg_rekey_hook *cg_rekey_hook_new(struct cg_manage *manage, const struct cg_seal *seal,
                                        struct cg_worker *worker) {
    struct cg_rekey_hook *hook = calloc(1, sizeof *hook);
    if (hook == NULL) return NULL;
    hook->manage = manage;
    hook->seal = seal;
    hook->worker = worker;
    return hook;
}

void cg_rekey_hook_stop(struct cg_rekey_hook *hook) { atomic_store(&hook->stopping, true); }

void cg_rekey_hook_free(struct cg_rekey_hook *hook) {
    if (hook == NULL) return;
    while (hook->tellings != NULL) end(hook->tellings);
    free(hook);
}

/* Requests about security groups, from stage to stage: on the worker's thread, in the numbers' store, in the write
 * path. The hard thing: each stage ends on the loop, where the program may be stopping, or the asker gone. */
#include "manage/groups.h"

#include <sodium.h>
#include <stdlib.h>
#include <utlist.h>

#include "keys/document.h"
#include "manage/group_work.h"
#include "manage/rekey_hook.h"
#include "settings/json_load.h"
#include "settings/secret.h"
#include "settings/stored.h"

enum { AT_ONCE = 16 }; /* each may hold ten thousand members' keys */

/* ---- Life ---- */

struct cg_groups *cg_groups_new(const struct cg_groups_options *options) {
    struct cg_groups *groups = calloc(1, sizeof *groups);
    if (groups != NULL) groups->options = *options;
    return groups;
}

struct cg_group_request *cg_group_request_new(void) {
    struct cg_group_request *request = calloc(1, sizeof *request);
    if (request == NULL) return NULL;
    request->own = calloc(1, sizeof *request->own);
    if (request->own == NULL) {
        free(request);
        return NULL;
    }
    cg_json_wipe();
    request->own->request = request;
    cg_mistakes_init(&request->mistakes);
    return request;
}

static void leave(struct cg_group_work *work) {
    if (!work->is_running) return;
    work->is_running = false;
    DL_DELETE2(work->groups->running, work, prev, next_running);
    work->groups->running_count--;
}

void cg_group_request_free(struct cg_group_request *request) {
    if (request == NULL) return;
    struct cg_group_work *work = request->own;
    leave(work);
    if (work->has_change) cg_change_fini(&work->change);
    cg_item_unref(work->group);
    cg_item_unref(work->current);
    cg_item_unref(work->next);
    json_decref(work->document);
    json_decref(work->file);
    json_decref(work->locations);
    json_decref(work->shown);
    cg_sealed_keys_fini(&work->made);
    json_decref(request->body);
    json_decref(request->answer);
    cg_mistakes_fini(&request->mistakes);
    free(work);
    free(request);
}

static void finish(struct cg_group_work *work, int err) {
    struct cg_group_request *request = work->request;
    leave(work);
    request->err = err;
    if (err < 0 && request->problem.err == 0)
        (void)cg_problem_set(&request->problem, err, "%s", cg_err_info(err)->text);
    request->done(request);
}

void cg_groups_free(struct cg_groups *groups) {
    struct cg_group_work *work, *next;
    if (groups == NULL) return;
    DL_FOREACH_SAFE2(groups->running, work, next, next_running) {
        (void)cg_problem_set(&work->request->problem, CG_E_STOPPING, "the gateway is stopping");
        finish(work, CG_E_STOPPING);
    }
    free(groups);
}

/* ---- Committed ---- */

/* What the snapshot had to say of it, about the body. */
static void take_mistakes(struct cg_group_work *work) {
    char base[sizeof "/security-groups/" + CG_NAME_MAX];
    (void)snprintf(base, sizeof base, "/security-groups/%s", work->request->group);
    size_t len = strlen(base);
    for (const struct cg_mistake *it = work->change.mistakes.first; it != NULL; it = it->next) {
        bool is_ours = strncmp(it->pointer, base, len) == 0;
        cg_mistakes_add(&work->request->mistakes, is_ours ? it->pointer + len : it->pointer, "%s", it->message);
    }
}

/* Whoever hands keys out hears of those that are new, and of those that have come into use. */
static void tell_hook(const struct cg_group_work *work) {
    const struct cg_groups_options *options = &work->groups->options;
    const struct cg_group_request *request = work->request;
    bool prepares = work->has_made && work->epoch == CG_KEYRING_NEXT, activates = request->wish == CG_GROUP_ACTIVATE;
    if (options->hook == NULL || request->mode == CG_CHANGE_DRY || !(prepares || activates)) return;
    const char *name = activates ? work->next->name : work->made.name;
    const struct cg_item *keys = cg_manage_find(options->manage, CG_ITEM_KEYS, name);
    if (keys == NULL) return;
    cg_rekey_hook_run(options->hook, options->config(options->ctx), activates ? CG_REKEY_ACTIVATED : CG_REKEY_PREPARED,
                      request->group, keys, &request->author);
}

static void read_again(struct cg_group_work *work);

/* What is there now is told, once it has been read. */
static bool tells_group(const struct cg_group_work *work) {
    enum cg_group_wish wish = work->request->wish;
    return work->request->mode == CG_CHANGE_FOR_GOOD &&
           (wish == CG_GROUP_CREATE || wish == CG_GROUP_PUT || wish == CG_GROUP_PATCH);
}

static void on_changed(struct cg_change *change) {
    struct cg_group_work *work = CG_CONTAINER(change, struct cg_group_work, change);
    struct cg_group_request *request = work->request;
    int err = change->err;
    request->revision = change->revision;
    request->is_new = work->group == NULL;
    take_mistakes(work);
    if (err < 0) {
        request->problem = change->problem;
    } else {
        tell_hook(work);
        if (tells_group(work)) {
            read_again(work);
            return;
        }
        request->answer = change->mode == CG_CHANGE_DRY ? cg_group_difference(work) : cg_group_answer(work);
        if (request->answer == NULL && request->wish != CG_GROUP_DELETE) err = cg_problem_no_memory(&request->problem);
    }
    finish(work, err);
}

static enum cg_undo_rule undo_rule(const struct cg_group_work *work) {
    bool is_plain = !work->has_made && (work->request->wish == CG_GROUP_CREATE || work->request->wish == CG_GROUP_PUT ||
                                        work->request->wish == CG_GROUP_PATCH);
    return is_plain ? CG_UNDO_ALLOWED : CG_UNDO_NEVER;
}

/* For whoever reads of it in the history. */
static const char *way_forward(enum cg_group_wish wish) {
    static const char *const ways[] = {
        [CG_GROUP_CREATE] = "delete the group (DELETE), or give it other keys (POST prepare-rekey, then activate)",
        [CG_GROUP_PUT] = "give it other keys (POST prepare-rekey, then activate)",
        [CG_GROUP_DELETE] = "make it anew (POST security-groups); its members need new files",
        [CG_GROUP_JOIN] = "evict the member (POST prepare-rekey with \"evict\", then activate)",
        [CG_GROUP_PREPARE] = "give it up (DELETE prepare-rekey)",
        [CG_GROUP_ABANDON] = "prepare others (POST prepare-rekey)",
        [CG_GROUP_ACTIVATE] = "rekey once more (POST prepare-rekey, then activate)",
        [CG_GROUP_FETCH] = "where the file has got lost, make others (POST prepare-rekey, then activate)",
    };
    return (size_t)wish < sizeof ways / sizeof *ways ? ways[wish] : NULL;
}

static void commit(struct cg_group_work *work) {
    const struct cg_group_request *request = work->request;
    work->change = (struct cg_change){.plan = cg_group_plan,
                                      .done = on_changed,
                                      .mode = request->mode,
                                      .author = request->author,
                                      .operation = request->operation,
                                      .target = work->target,
                                      .place = CG_PLAN_ON_DISK,
                                      .undo = undo_rule(work)};
    if (work->change.undo == CG_UNDO_NEVER) work->change.detail = way_forward(request->wish);
    work->has_change = true;
    cg_manage_change(work->groups->options.manage, &work->change);
}

/* ---- Claimed ---- */

static void on_claimed(struct cg_store_job *job) {
    struct cg_group_work *work = job->ctx;
    struct cg_problem *problem = &work->request->problem;
    if (job->err == CG_OK) {
        commit(work);
        return;
    }
    int err = job->err == CG_E_KEY_REFUSED ? CG_E_CONFLICT : job->err; /* it is no claim that can be made */
    *problem = job->failure.problem;
    problem->err = err;
    finish(work, err);
}

static void claim(struct cg_group_work *work) {
    const struct cg_groups_options *options = &work->groups->options;
    struct cg_store *store = options->store(options->ctx);
    if (store == NULL) {
        finish(work, cg_problem_set(&work->request->problem, CG_E_STORE,
                                    "there is no store of sequence numbers to claim the keys in"));
        return;
    }
    work->claim = (struct cg_store_job){
        .operation = CG_STORE_CLAIM, .sender = work->made.sender, .done = on_claimed, .ctx = work};
    store->ops->submit(store, &work->claim);
}

/* ---- Made ---- */

static const struct cg_group_work *work_in(const struct cg_work *work) {
    return CG_CONTAINER(work, struct cg_group_work, work);
}

static void make(struct cg_work *running) {
    struct cg_group_work *work = (struct cg_group_work *)(uintptr_t)work_in(running);
    struct cg_problem *problem = &work->request->problem;
    if (problem->err == 0) work->request->err = cg_group_make(work, work->groups->options.seal);
    if (work->request->err < 0 && problem->err == 0) (void)cg_problem_no_memory(problem);
}

static void put_target(struct cg_group_work *work) {
    const struct cg_group_request *request = work->request;
    const char *id = work->file != NULL ? work->member : "";
    (void)snprintf(work->target, sizeof work->target, "security-groups/%s%s%s", request->group,
                   id[0] == '\0' ? "" : "/members/", id);
}

static void tell(struct cg_group_work *work) {
    struct cg_group_request *request = work->request;
    request->answer = cg_group_answer(work);
    finish(work, request->answer == NULL ? cg_problem_no_memory(&request->problem) : CG_OK);
}

static void go_on(struct cg_group_work *work) {
    if (work->request->problem.err < 0) {
        finish(work, work->request->problem.err);
    } else if (work->request->wish == CG_GROUP_READ) {
        tell(work);
    } else if (work->has_made && work->request->mode == CG_CHANGE_FOR_GOOD) {
        claim(work);
    } else {
        commit(work);
    }
}

static bool asks_for_holders(const struct cg_group_work *work) {
    const struct cg_group_request *request = work->request;
    bool is_forced = json_is_true(json_object_get(request->body, "force"));
    return request->wish == CG_GROUP_ACTIVATE && !is_forced && work->next != NULL && request->problem.err == 0;
}

static void do_nothing(struct cg_work *running) { (void)running; }

/* What only the loop knows; by the worker it comes back in a later turn. */
static void look_at_holders(struct cg_work *done) {
    struct cg_group_work *work = CG_CONTAINER(done, struct cg_group_work, work);
    if (asks_for_holders(work) && cg_group_look_at_holders(work)) {
        work->work = (struct cg_work){.run = do_nothing, .done = look_at_holders};
        cg_worker_do(work->groups->options.worker, &work->work);
        return;
    }
    cg_group_judge_holders(work);
    go_on(work);
}

static void on_made(struct cg_work *done) {
    put_target(CG_CONTAINER(done, struct cg_group_work, work));
    look_at_holders(done);
}

/* ---- Asked ---- */

static struct cg_item *keep(const struct cg_item *item) {
    return item == NULL ? NULL : cg_item_ref((struct cg_item *)(uintptr_t)item);
}

static struct cg_item *find_keys(const struct cg_manage *manage, const json_t *document, const char *key) {
    const char *name = cg_keys_text(document, key);
    return name == NULL ? NULL : keep(cg_manage_find(manage, CG_ITEM_KEYS, name));
}

static int find_items(struct cg_group_work *work) {
    const struct cg_manage *manage = work->groups->options.manage;
    const struct cg_group_request *request = work->request;
    if (request->wish == CG_GROUP_CREATE && !work->is_committed) return CG_OK;
    work->group = keep(cg_manage_find(manage, CG_ITEM_SECURITY_GROUP, request->group));
    if (work->group == NULL) return CG_OK;
    json_t *document = cg_group_document(work->group);
    if (document == NULL) return CG_E_NO_MEMORY;
    work->current = find_keys(manage, document, "keys");
    work->next = find_keys(manage, document, "next");
    json_decref(document);
    return CG_OK;
}

static bool needs_keys(enum cg_group_wish wish) { return wish >= CG_GROUP_JOIN; }

static int check_there(struct cg_group_work *work) {
    struct cg_group_request *request = work->request;
    const struct cg_groups_options *options = &work->groups->options;
    bool may_be_new = request->wish == CG_GROUP_CREATE || request->wish == CG_GROUP_PUT;
    bool is_of_file = cg_stored_is_of_file(options->config(options->ctx), CG_ITEM_SECURITY_GROUP, request->group);
    if (request->wish == CG_GROUP_READ && is_of_file) return CG_OK;
    if (request->wish != CG_GROUP_CREATE && work->group == NULL && is_of_file)
        return cg_problem_set(&request->problem, CG_E_CONFLICT,
                              "security group %s is the settings file's: it is changed there, and its keys by "
                              "castgate-keys",
                              request->group);
    if (work->group == NULL && !may_be_new)
        return cg_problem_set(&request->problem, CG_E_NOT_FOUND, "there is no security group %s", request->group);
    if (work->current == NULL && needs_keys(request->wish))
        return cg_problem_set(&request->problem, CG_E_CONFLICT,
                              "security group %s has no keys yet: PUT them, when they have come", request->group);
    return CG_OK;
}

/* Of a file that is asked for. */
static int choose_epoch(struct cg_group_work *work) {
    struct cg_group_request *request = work->request;
    if (request->wish != CG_GROUP_FETCH) return CG_OK;
    work->epoch = request->has_epoch ? request->epoch : work->next != NULL ? CG_KEYRING_NEXT : CG_KEYRING_CURRENT;
    if (work->epoch == CG_KEYRING_CURRENT || work->next != NULL) return CG_OK;
    return cg_problem_set(&request->problem, CG_E_NOT_FOUND, "no rekey of security group %s is prepared",
                          request->group);
}

static void look(struct cg_group_work *work) {
    struct cg_problem *problem = &work->request->problem;
    if (work->groups->running_count > AT_ONCE) {
        (void)cg_problem_set(problem, CG_E_OVERLOAD, "too much is asked of security groups at once");
        return;
    }
    if (find_items(work) < 0) {
        (void)cg_problem_no_memory(problem);
        return;
    }
    int err = check_there(work);
    if (err == CG_OK) err = choose_epoch(work);
    work->request->err = err;
}

static void run_reading(struct cg_work *running) {
    struct cg_group_work *work = CG_CONTAINER(running, struct cg_group_work, work);
    if (cg_group_read(work) < 0) (void)cg_problem_no_memory(&work->request->problem);
}

static void on_read(struct cg_work *done) { tell(CG_CONTAINER(done, struct cg_group_work, work)); }

static void read_again(struct cg_group_work *work) {
    work->is_committed = true;
    cg_item_unref(work->group);
    cg_item_unref(work->current);
    cg_item_unref(work->next);
    work->group = work->current = work->next = NULL;
    if (find_items(work) < 0) {
        finish(work, cg_problem_no_memory(&work->request->problem));
        return;
    }
    work->work = (struct cg_work){.run = run_reading, .done = on_read};
    cg_worker_do(work->groups->options.worker, &work->work);
}

void cg_groups_ask(struct cg_groups *groups, struct cg_group_request *request) {
    struct cg_group_work *work = request->own;
    work->groups = groups;
    work->is_running = true;
    groups->running_count++;
    DL_APPEND2(groups->running, work, prev, next_running);
    look(work);
    work->work = (struct cg_work){.run = make, .done = on_made};
    cg_worker_do(groups->options.worker, &work->work);
}

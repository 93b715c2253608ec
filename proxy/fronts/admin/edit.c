/* Changes. The hard thing is who outlives whom: the client may leave while its change waits for the disk, and the
 * change is made all the same; so it holds no more of the call than a pointer that is taken from it. What a dry run
 * comes to may be every mapping that there is, so that is written down beside the loop, too. */
#include "fronts/admin/edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "fronts/admin/sends.h"
#include "manage/access_change.h"
#include "settings/json_load.h"

/* ---- What came of it ---- */

/* "/timeout: must be a number": the first of them, where people look first. */
static void say_mistakes(struct cg_problem *problem, int err, const struct cg_mistakes *mistakes, const char *base) {
    const struct cg_mistake *first = mistakes->first;
    size_t len = strlen(base);
    const char *pointer = first->pointer;
    if (strncmp(pointer, base, len) == 0 && (pointer[len] == '/' || pointer[len] == '\0')) pointer += len;
    cg_problem_set(problem, err, "%s%s%s%s", pointer, pointer[0] == '\0' ? "" : ": ", first->message,
                   mistakes->count > 1 ? " (and more: see \"errors\")" : "");
}

static void reply_failure(struct cg_admin_edit *edit) {
    const struct cg_change *change = &edit->change;
    struct cg_problem problem = change->problem;
    struct cg_buf members;
    int err = change->err == CG_E_FORMAT ? CG_E_INVALID : change->err;
    if (problem.err == 0) problem.err = err;
    if (change->mistakes.first != NULL) say_mistakes(&problem, err, &change->mistakes, edit->base);
    cg_buf_init(&members, 0);
    if (edit->put_members != NULL) edit->put_members(edit, &members);
    cg_admin_reply_mistakes(edit->call, &problem, &change->mistakes, edit->base,
                            members.failed ? CG_SLICE_NONE : cg_buf_slice(&members));
    cg_buf_fini(&members);
}

static void place_mistakes(struct cg_admin_edit *edit) {
    if (edit->place_mistakes == NULL) return;
    edit->place_mistakes(edit, &edit->change.mistakes);
    edit->place_mistakes(edit, &edit->change.warnings);
}

static void reply(struct cg_admin_edit *edit) {
    edit->call->ctx = NULL;
    place_mistakes(edit);
    if (edit->change.err < 0) {
        reply_failure(edit);
    } else {
        edit->reply(edit);
    }
}

static void end(struct cg_admin_edit *edit) {
    cg_change_fini(&edit->change);
    edit->free(edit);
}

/* ---- What a dry run comes to ---- */

/* NULL: no memory. */
static json_t *list_of(const struct cg_buf *text) {
    return text->failed ? NULL : cg_json_load(cg_buf_slice(text), 0, NULL);
}

static json_t *warnings_of(const struct cg_admin_edit *edit) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_admin_put_mistakes(&text, &edit->change.warnings, edit->base);
    json_t *list = list_of(&text);
    cg_buf_fini(&text);
    return list;
}

static json_t *outcome_of(const struct cg_admin_edit *edit) {
    const struct cg_change *change = &edit->change;
    json_t *difference = change->difference == NULL ? json_array() : json_incref(change->difference);
    json_t *gains, *loses;
    if (cg_access_change(change, &gains, &loses) < 0) gains = loses = NULL;
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "difference", difference, "gains", gains, "loses", loses, "warnings",
                     warnings_of(edit), "sends", list_of(&edit->sends));
}

static void write_outcome(struct cg_work *work) {
    struct cg_admin_edit *edit = CG_CONTAINER(work, struct cg_admin_edit, work);
    place_mistakes(edit);
    json_t *outcome = outcome_of(edit);
    cg_admin_put_json(&edit->outcome, outcome);
    json_decref(outcome);
    cg_buf_fini(&edit->sends);
}

static void on_written(struct cg_work *work) {
    struct cg_admin_edit *edit = CG_CONTAINER(work, struct cg_admin_edit, work);
    if (edit->call == NULL) {
        cg_buf_fini(&edit->outcome);
    } else {
        edit->call->ctx = NULL;
        cg_admin_reply_bytes(edit->call, &(struct cg_admin_head){.status = 200}, &edit->outcome);
    }
    end(edit);
}

/* The snapshots, the edits and the difference are the change's until its end, and nobody changes them. */
static void reply_outcome(struct cg_admin_edit *edit) {
    struct cg_worker *worker = cg_admin_worker(edit->call);
    cg_buf_init(&edit->outcome, 0);
    cg_buf_init(&edit->sends, 0);
    cg_admin_sends_put(&edit->sends, cg_admin_gateway(edit->call), &edit->change);
    edit->work = (struct cg_work){.run = write_outcome, .done = on_written};
    if (worker != NULL) {
        cg_worker_do(worker, &edit->work);
    } else {
        write_outcome(&edit->work);
        on_written(&edit->work);
    }
}

static void on_done(struct cg_change *change) {
    struct cg_admin_edit *edit = CG_CONTAINER(change, struct cg_admin_edit, change);
    bool is_asked = change->mode == CG_CHANGE_DRY && !edit->is_rehearsal;
    if (edit->call != NULL && change->err == CG_OK && is_asked) {
        reply_outcome(edit);
        return;
    }
    if (edit->call != NULL) reply(edit);
    end(edit);
}

void cg_admin_edit_start(struct cg_admin_edit *edit, struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    enum cg_change_mode mode;
    int err = cg_admin_mode(call, &mode, &problem);
    if (err == CG_OK && cg_admin_manage(call) == NULL)
        err = cg_problem_set(&problem, CG_E_STORE, "there is no store here that changes could be kept in");
    if (err == CG_OK && !edit->is_rehearsal) err = cg_manage_check_read(cg_admin_manage(call), &problem);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
        edit->free(edit);
        return;
    }
    if (edit->target[0] == '\0') cg_admin_target(call, edit->target);
    if (edit->base[0] == '\0' && edit->place_mistakes == NULL)
        snprintf(edit->base, sizeof edit->base, "/%s", edit->target);
    edit->call = call;
    call->ctx = edit;
    edit->change.done = on_done;
    edit->change.mode = edit->is_rehearsal ? CG_CHANGE_DRY : mode;
    edit->change.author = cg_admin_author(call);
    edit->change.operation = call->match.route->id;
    edit->change.target = edit->target;
    cg_manage_change(cg_admin_manage(call), &edit->change);
}

void cg_admin_edit_left(struct cg_admin_call *call) {
    struct cg_admin_edit *edit = call->ctx;
    if (edit != NULL) edit->call = NULL;
}

void cg_admin_edit_reply_revision(struct cg_admin_edit *edit) {
    uint64_t revision = edit->change.revision;
    cg_admin_reply_json(
        edit->call, &(struct cg_admin_head){.status = 200},
        json_pack("{s:o}", "revision", revision == 0 ? json_null() : json_integer((json_int_t)revision)));
}

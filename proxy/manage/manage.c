/* The write path. The hard thing is that it waits in three places (the disk's thread, the catalogue, the disk again)
 * and may fail before each of them, and that none of that is to be seen: until the commit has succeeded nothing has
 * changed, and after it nothing can fail. */
#include "manage/manage.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "manage/change.h"
#include "manage/notes.h"
#include "manage/prepare.h"

enum { EDITS_MANY = 128 };
#define DAY_MS INT64_C(86400000)

struct cg_manage {
    struct cg_manage_options options;
    struct cg_book book;
    uint64_t revision;
    struct cg_manage_turn *running;         /* who has the turn; NULL: nobody */
    struct cg_manage_turn *first, **behind; /* who waits for it */
    size_t changes;                         /* that have or await a turn */
    bool is_giving;                         /* the turn: further up on the stack */
    bool is_stopping;
    struct cg_manage_hearer *hearers;
    struct cg_notes notes;
};

int cg_manage_check_read(const struct cg_manage *manage, struct cg_problem *problem) {
    const struct cg_problem *unread = manage->options.unread;
    return unread == NULL || unread->err == CG_OK
               ? CG_OK
               : cg_problem_set(problem, unread->err, "what is stored is not in use: %s", unread->detail);
}

/* ---- Turns ---- */

static void put_last(struct cg_manage *manage, struct cg_manage_turn *turn) {
    turn->next = NULL;
    *manage->behind = turn;
    manage->behind = &turn->next;
}

static struct cg_manage_turn *take_first(struct cg_manage *manage) {
    struct cg_manage_turn *turn = manage->first;
    if (turn == NULL) return NULL;
    manage->first = turn->next;
    if (manage->first == NULL) manage->behind = &manage->first;
    return turn;
}

/* A turn may be over when it has begun, and who ends one may ask for another. */
static void give(struct cg_manage *manage) {
    if (manage->is_giving) return;
    manage->is_giving = true;
    while (manage->running == NULL && (manage->running = take_first(manage)) != NULL) {
        manage->running->begin(manage->running);
    }
    manage->is_giving = false;
}

void cg_manage_take_turn(struct cg_manage *manage, struct cg_manage_turn *turn) {
    if (manage->is_stopping) {
        turn->forgotten(turn);
        return;
    }
    put_last(manage, turn);
    give(manage);
}

void cg_manage_end_turn(struct cg_manage *manage, struct cg_manage_turn *turn) {
    CG_CHECK(manage->running == turn);
    manage->running = NULL;
    give(manage);
}

void cg_manage_stop(struct cg_manage *manage) {
    struct cg_manage_turn *turn;
    manage->is_stopping = true;
    while ((turn = take_first(manage)) != NULL) turn->forgotten(turn);
}

bool cg_manage_is_idle(const struct cg_manage *manage) { return manage->running == NULL && manage->first == NULL; }

/* ---- The end of a change ---- */

/* Who was refused what is in the audit, too; nothing is, of what the end of the program cut short. */
static void note_failure(struct cg_manage *manage, const struct cg_change *change) {
    if (change->mode == CG_CHANGE_DRY || change->err == CG_E_STOPPING) return;
    bool is_refused = cg_err_info(change->err)->http_status < 500;
    cg_manage_note(manage, &change->author, change->operation, change->target, is_refused ? "refused" : "failed",
                   change->problem.detail);
}

static void take_findings(struct cg_change *change, struct cg_proposal *proposal) {
    change->mistakes = proposal->mistakes;
    change->warnings = proposal->warnings;
    cg_mistakes_init(&proposal->mistakes);
    cg_mistakes_init(&proposal->warnings);
}

static void tell_hearers(const struct cg_manage *manage, const struct cg_change *change) {
    struct cg_manage_hearer *next;
    for (struct cg_manage_hearer *hearer = manage->hearers; hearer != NULL; hearer = next) {
        next = hearer->next;
        hearer->changed(hearer, change);
    }
}

static void finish(struct cg_change_own *own, int err) {
    struct cg_manage *manage = own->manage;
    struct cg_change *change = own->change;
    struct cg_manage_turn *turn = &own->turn;
    bool had_turn = manage->running == turn;
    change->err = err;
    if (err < 0 && change->problem.err == 0) cg_problem_set(&change->problem, err, "%s", cg_err_info(err)->text);
    if (own->is_proposed) manage->options.catalogue->drop(manage->options.catalogue, &own->proposal);
    if (err < 0) note_failure(manage, change);
    if (err == CG_OK && change->revision != 0) tell_hearers(manage, change);
    manage->changes--;
    /* The turn ends first, but the next one begins after this: what `done` reads is what there is. */
    if (had_turn) manage->running = NULL;
    bool was_giving = manage->is_giving;
    manage->is_giving = true;
    change->done(change);
    manage->is_giving = was_giving;
    if (had_turn) give(manage);
}

/* ---- Steps ---- */

/* True: on with the next one; false: it goes on later, or has failed. */
typedef bool step_fn(struct cg_change_own *own);

static step_fn step_plan, step_prepare, step_propose, step_commit, step_adopt;

/* clang-format off */
static const struct {
    step_fn *step;
    bool is_for_good; /* what a dry run, and what changes nothing, leaves out */
} steps[CG_STEP_COUNT] = {
    [CG_STEP_PLAN]    = {step_plan,    false}, /* what is wanted, now that it is known what there is */
    [CG_STEP_PREPARE] = {step_prepare, false}, /* what that comes to; on the disk's thread */
    [CG_STEP_PROPOSE] = {step_propose, false}, /* whether it would be good; by the catalogue */
    [CG_STEP_COMMIT]  = {step_commit,  true},  /* made durable; on the disk's thread */
    [CG_STEP_ADOPT]   = {step_adopt,   true},  /* put to use */
};
/* clang-format on */

static bool changes_nothing(const struct cg_change_own *own) {
    return own->step > CG_STEP_PREPARE && own->list_count == 0;
}

static bool ends_before(const struct cg_change_own *own) {
    if (own->step == CG_STEP_COUNT || changes_nothing(own)) return true;
    return steps[own->step].is_for_good && own->change->mode == CG_CHANGE_DRY;
}

/* From here on the first word of whether it ends is the program's; the last is the disk's. */
static void proceed(struct cg_change_own *own, enum cg_change_step step) {
    for (own->step = step;; own->step++) {
        if (ends_before(own)) {
            finish(own, CG_OK);
            return;
        }
        if (own->manage->is_stopping && own->step <= CG_STEP_COMMIT) {
            finish(own, CG_E_STOPPING);
            return;
        }
        if (!steps[own->step].step(own)) return;
    }
}

static bool fail(struct cg_change_own *own, int err) {
    finish(own, err);
    return false;
}

static bool step_plan(struct cg_change_own *own) {
    struct cg_change *change = own->change;
    int err = change->place == CG_PLAN_ON_LOOP ? change->plan(change, own->manage) : CG_OK;
    return err < 0 ? fail(own, err) : true;
}

static void run_prepare(struct cg_work *work) {
    struct cg_change_own *own = CG_CONTAINER(work, struct cg_change_own, work);
    struct cg_change *change = own->change;
    change->err = change->place == CG_PLAN_ON_DISK ? change->plan(change, own->manage) : CG_OK;
    if (change->err == CG_OK) change->err = cg_change_prepare(own);
}

static void on_prepared(struct cg_work *work) {
    struct cg_change_own *own = CG_CONTAINER(work, struct cg_change_own, work);
    if (own->change->err < 0) {
        finish(own, own->change->err);
    } else {
        proceed(own, CG_STEP_PROPOSE);
    }
}

static void do_on_disk(struct cg_change_own *own, void (*run)(struct cg_work *work),
                       void (*done)(struct cg_work *work)) {
    own->work = (struct cg_work){.run = run, .done = done};
    cg_worker_do(own->manage->options.disk, &own->work);
}

static bool step_prepare(struct cg_change_own *own) {
    do_on_disk(own, run_prepare, on_prepared);
    return false;
}

static void on_proposed(struct cg_proposal *proposal) {
    struct cg_change_own *own = CG_CONTAINER(proposal, struct cg_change_own, proposal);
    struct cg_change *change = own->change;
    const struct cg_catalogue *catalogue = own->manage->options.catalogue;
    take_findings(change, proposal);
    if (proposal->err < 0) {
        change->problem = proposal->problem;
        if (change->problem.err == 0 && change->mistakes.first != NULL)
            cg_problem_set(&change->problem, proposal->err, "%s", change->mistakes.first->message);
        finish(own, proposal->err == CG_E_FORMAT ? CG_E_INVALID : proposal->err);
        return;
    }
    if (change->mode == CG_CHANGE_DRY) {
        change->was = cg_config_ref(catalogue->in_use(catalogue));
        change->will = cg_config_ref(proposal->config);
    }
    proceed(own, CG_STEP_COMMIT);
}

static bool step_propose(struct cg_change_own *own) {
    struct cg_catalogue *catalogue = own->manage->options.catalogue;
    own->proposal = (struct cg_proposal){.edits = own->list, .edit_count = own->list_count, .done = on_proposed};
    cg_mistakes_init(&own->proposal.mistakes);
    cg_mistakes_init(&own->proposal.warnings);
    own->is_proposed = true;
    catalogue->propose(catalogue, &own->proposal);
    return false;
}

/* The items are nobody else's yet. */
static void stamp_items(const struct cg_change_own *own, uint64_t revision, int64_t at_ms) {
    for (size_t i = 0; i < own->count; i++) {
        struct cg_item *item = own->edits[i]->item;
        if (item == NULL) continue;
        item->revision = revision;
        item->changed_ms = at_ms;
        snprintf(item->changed_by, sizeof item->changed_by, "%s", own->change->author.who);
    }
}

static void run_commit(struct cg_work *work) {
    struct cg_change_own *own = CG_CONTAINER(work, struct cg_change_own, work);
    struct cg_change *change = own->change;
    const struct cg_manage_options *options = &own->manage->options;
    uint64_t revision = 0;
    const struct cg_items_commit commit = {
        .edits = own->list,
        .count = own->list_count,
        .deed = {.at_ms = options->clock_ms(),
                 .who = change->author.who,
                 .from = change->author.from,
                 .operation = change->operation,
                 .target = change->target,
                 .result = "done",
                 .detail = change->detail == NULL ? "" : change->detail},
        .undo = change->undo,
        .undoes = change->undoes,
        .undoes_too = own->undoes_too,
        .undoes_too_count = own->undoes_too_count,
        .keep_ms = own->proposal.config->history_days * DAY_MS,
        .revision = &revision,
    };
    change->err = cg_items_commit(options->file, &commit, &change->problem);
    if (change->err == CG_OK) stamp_items(own, change->revision = revision, commit.deed.at_ms);
}

static void on_committed(struct cg_work *work) {
    struct cg_change_own *own = CG_CONTAINER(work, struct cg_change_own, work);
    if (own->change->err < 0) {
        finish(own, own->change->err);
    } else {
        proceed(own, CG_STEP_ADOPT);
    }
}

static bool step_commit(struct cg_change_own *own) {
    do_on_disk(own, run_commit, on_committed);
    return false;
}

static bool step_adopt(struct cg_change_own *own) {
    struct cg_manage *manage = own->manage;
    struct cg_catalogue *catalogue = manage->options.catalogue;
    manage->revision = own->change->revision;
    cg_book_adopt(&manage->book, &own->draft);
    own->is_proposed = false;
    catalogue->adopt(catalogue, &own->proposal);
    return true;
}

/* ---- Changes ---- */

static void begin_change(struct cg_manage_turn *turn) {
    proceed(CG_CONTAINER(turn, struct cg_change_own, turn), CG_STEP_PLAN);
}

static void forget_change(struct cg_manage_turn *turn) {
    finish(CG_CONTAINER(turn, struct cg_change_own, turn), CG_E_STOPPING);
}

static void refuse(struct cg_manage *manage, struct cg_change *change, int err, const char *why) {
    change->err = cg_problem_set(&change->problem, err, "%s", why);
    note_failure(manage, change);
    change->done(change);
}

void cg_manage_change(struct cg_manage *manage, struct cg_change *change) {
    cg_mistakes_init(&change->mistakes);
    cg_mistakes_init(&change->warnings);
    change->problem = (struct cg_problem){0};
    if (manage->changes >= CG_CHANGES_WAITING_MAX) {
        change->own = NULL;
        refuse(manage, change, CG_E_OVERLOAD, "as many changes wait as may; try again in a moment");
        return;
    }
    change->own = cg_change_own_new(manage, change);
    if (change->own == NULL) {
        refuse(manage, change, CG_E_NO_MEMORY, cg_err_info(CG_E_NO_MEMORY)->text);
        return;
    }
    manage->changes++;
    change->own->turn = (struct cg_manage_turn){.begin = begin_change, .forgotten = forget_change};
    cg_manage_take_turn(manage, &change->own->turn);
}

static void run_free(struct cg_work *work) { cg_change_own_free(CG_CONTAINER(work, struct cg_change_own, work)); }

/* An import leaves so much behind that freeing it would hold the loop. References are counted here; the last one of an
 * item that was adopted is the book's. */
static void bury(struct cg_change_own *own, json_t *difference) {
    own->difference = difference;
    if (own->count < EDITS_MANY) {
        cg_change_own_free(own);
        return;
    }
    if (own->change->revision != 0) cg_change_forget_items(own);
    own->work = (struct cg_work){.run = run_free};
    cg_worker_do(own->manage->options.disk, &own->work);
}

void cg_change_fini(struct cg_change *change) {
    if (change->own != NULL) bury(change->own, change->difference);
    cg_mistakes_fini(&change->mistakes);
    cg_mistakes_fini(&change->warnings);
    cg_config_unref(change->was);
    cg_config_unref(change->will);
    change->own = NULL;
    change->difference = NULL;
    change->was = change->will = NULL;
}

/* ---- What is there ---- */

const struct cg_book *cg_manage_book(const struct cg_manage *manage) { return &manage->book; }
struct cg_items_file *cg_manage_file(const struct cg_manage *manage) {
    return manage->options.file;
}
const struct cg_config *cg_manage_in_use(const struct cg_manage *manage) {
    return manage->options.catalogue->in_use(manage->options.catalogue);
}
uint64_t cg_manage_revision(const struct cg_manage *manage) { return manage->revision; }

const struct cg_item *cg_manage_find(const struct cg_manage *manage, enum cg_item_kind kind, const char *name) {
    return cg_book_find(&manage->book, kind, name);
}

const struct cg_item *cg_manage_next(const struct cg_manage *manage, enum cg_item_kind kind, const char *after) {
    return cg_book_next(&manage->book, kind, after);
}

size_t cg_manage_count(const struct cg_manage *manage, enum cg_item_kind kind) { return manage->book.counts[kind]; }

struct cg_item **cg_manage_items(const struct cg_manage *manage, size_t *count) {
    *count = cg_book_count(&manage->book);
    struct cg_item **items = calloc(*count + 1, sizeof *items);
    if (items != NULL) cg_book_list(&manage->book, items);
    return items;
}

/* ---- Beside changes ---- */

void cg_manage_note(struct cg_manage *manage, const struct cg_author *author, const char *operation, const char *target,
                    const char *result, const char *detail) {
    const struct cg_deed deed = {.at_ms = manage->options.clock_ms(),
                                 .who = author->who,
                                 .from = author->from,
                                 .operation = operation,
                                 .target = target,
                                 .result = result,
                                 .detail = detail};
    cg_notes_add(&manage->notes, &deed);
}

void cg_manage_add_hearer(struct cg_manage *manage, struct cg_manage_hearer *hearer) {
    hearer->next = manage->hearers;
    manage->hearers = hearer;
}

void cg_manage_remove_hearer(struct cg_manage *manage, struct cg_manage_hearer *hearer) {
    LL_DELETE(manage->hearers, hearer);
}

void cg_manage_tell_reloaded(const struct cg_manage *manage) {
    struct cg_manage_hearer *hearer;
    LL_FOREACH(manage->hearers, hearer) hearer->reloaded(hearer);
}

static void run_reading(struct cg_work *work) {
    struct cg_manage_reading *reading = CG_CONTAINER(work, struct cg_manage_reading, work);
    reading->run(reading, reading->manage->options.file);
}

static void on_read(struct cg_work *work) {
    struct cg_manage_reading *reading = CG_CONTAINER(work, struct cg_manage_reading, work);
    reading->done(reading);
}

void cg_manage_read(struct cg_manage *manage, struct cg_manage_reading *reading) {
    reading->manage = manage;
    reading->work = (struct cg_work){.run = run_reading, .done = on_read};
    cg_worker_do(manage->options.disk, &reading->work);
}

/* ---- Life ---- */

static int fill(struct cg_manage *manage, struct cg_item **items, size_t count) {
    struct cg_book_draft draft;
    uint64_t revision = manage->revision;
    int err = CG_OK;
    cg_book_draft_begin(&draft, &manage->book);
    for (size_t i = 0; err == CG_OK && i < count; i++) {
        err = cg_book_draft_put(&draft, items[i]);
        if (items[i]->revision > revision) revision = items[i]->revision;
    }
    if (err == CG_OK) {
        cg_book_adopt(&manage->book, &draft);
        manage->revision = revision;
    }
    cg_book_draft_drop(&draft);
    return err;
}

static void unref_all(struct cg_item **items, size_t count) {
    for (size_t i = 0; i < count; i++) cg_item_unref(items[i]);
}

int cg_manage_fill(struct cg_manage *manage, struct cg_item **items, size_t count) {
    int err = fill(manage, items, count);
    unref_all(items, count);
    return err;
}

static struct cg_manage *make(const struct cg_manage_options *options, struct cg_item **items, size_t count) {
    struct cg_manage *manage = calloc(1, sizeof *manage);
    if (manage == NULL) return NULL;
    manage->options = *options;
    manage->behind = &manage->first;
    cg_notes_init(&manage->notes, options->disk, options->file);
    if (fill(manage, items, count) == CG_OK) return manage;
    free(manage);
    return NULL;
}

struct cg_manage *cg_manage_new(const struct cg_manage_options *options, struct cg_item **items, size_t count) {
    struct cg_manage *manage = make(options, items, count);
    unref_all(items, count);
    if (manage == NULL) cg_items_file_free(options->file);
    return manage;
}

void cg_manage_free(struct cg_manage *manage) {
    if (manage == NULL) return;
    CG_CHECK(cg_manage_is_idle(manage));
    cg_book_fini(&manage->book);
    cg_items_file_free(manage->options.file);
    free(manage);
}

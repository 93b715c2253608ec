/* Keeping. The hard thing is the order in which things reach the file: one piece of work after the other, and who is
 * to be forgotten is saved first under its present name, so that no row of it stays behind under a former one. */
#include "app/keeper.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/worker.h"
#include "store/members.h"

enum {
    BATCH = 1000, /* entries that are copied in a turn: half a millisecond or so */
    SLICE_MS = 1,
};

enum job_kind { JOB_LOAD, JOB_SAVE, JOB_ERASE };

struct job {
    struct cg_work work;
    struct cg_keeper *keeper;
    enum job_kind kind;
    struct cg_members_time time;
    struct cg_known_record *records;
    size_t count;
    char name[CG_KEEPER_NAME_MAX]; /* to erase; empty: all */
    int err;
    struct cg_problem problem;
};

enum condition { KEEPS, KEEPS_NOT };

struct cg_keeper {
    struct cg_gateway *gateway;
    struct cg_members_file *file;
    struct cg_worker *worker;
    uv_timer_t pause, turn;
    unsigned pause_ms;
    struct job job, last;          /* `last`: at the end */
    struct cg_keeper_wish *wishes; /* utlist */
    size_t taken;                  /* of the loaded records */
    bool busy;                     /* with the job */
    bool loaded, due, closing;
    enum condition told;
};

static struct cg_knowns *knowns_of(const struct cg_keeper *keeper) { return cg_gateway_knowns(keeper->gateway); }

/* ---- On the thread ---- */

static int do_job(struct job *job) {
    struct cg_members_file *file = job->keeper->file;
    switch (job->kind) {
    case JOB_LOAD: return cg_members_load(file, &job->time, &job->records, &job->count, &job->problem);
    case JOB_SAVE: return cg_members_save(file, job->records, job->count, &job->time, &job->problem);
    case JOB_ERASE: return cg_members_erase(file, job->name[0] == '\0' ? NULL : job->name, &job->problem);
    }
    return CG_OK;
}

static void run_job(struct cg_work *work) {
    struct job *job = CG_CONTAINER(work, struct job, work);
    job->err = do_job(job);
}

/* ---- Jobs ---- */

static void take_turn(uv_timer_t *turn);

static void go_on_soon(struct cg_keeper *keeper) {
    CG_CHECK(uv_timer_start(&keeper->turn, take_turn, SLICE_MS, 0) == 0);
}

static struct cg_members_time present(void) {
    struct timespec now;
    CG_CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (struct cg_members_time){.unix_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
                                    .now_us = cg_loop_now_us()};
}

/* Once for each change, whoever noticed it. That there is no folder is a choice, not a fault. */
static void tell(struct cg_keeper *keeper, const struct job *job) {
    const enum condition now = job->err == CG_OK ? KEEPS : KEEPS_NOT;
    const bool is_choice = job->err == CG_E_NOT_FOUND;
    if (now == keeper->told) return;
    keeper->told = now;
    if (now == KEEPS)
        cg_log(CG_LOG_INFO, "members", "what is known of members is kept over a restart again");
    else
        cg_log(is_choice ? CG_LOG_INFO : CG_LOG_WARNING, "members",
               "what is known of members is not kept over a restart: %s", job->problem.detail);
}

static void release(struct job *job) {
    free(job->records);
    job->records = NULL;
    job->count = 0;
}

static void finish_load(struct cg_keeper *keeper) {
    release(&keeper->job);
    keeper->loaded = true;
}

static void finish_save(struct cg_keeper *keeper) {
    struct job *job = &keeper->job;
    for (size_t i = 0; job->err < 0 && i < job->count; i++) cg_known_untake(knowns_of(keeper), &job->records[i]);
    if (job->err < 0) keeper->due = false; /* later, perhaps */
    if (job->err < 0 && keeper->wishes != NULL) keeper->wishes->unsaved = 0;
    release(job);
}

static void finish_wish(struct cg_keeper *keeper, int err, const struct cg_problem *problem) {
    struct cg_keeper_wish *wish = keeper->wishes;
    DL_DELETE(keeper->wishes, wish);
    if (wish->walks) cg_known_walk_end(knowns_of(keeper), &wish->walk);
    wish->done(wish, err, problem);
}

static void on_job_done(struct cg_work *work) {
    struct job *job = CG_CONTAINER(work, struct job, work);
    struct cg_keeper *keeper = job->keeper;
    keeper->busy = false;
    tell(keeper, job);
    if (keeper->closing) {
        release(job);
        return;
    }
    switch (job->kind) {
    case JOB_LOAD:
        if (job->err < 0) finish_load(keeper);
        break;
    case JOB_SAVE: finish_save(keeper); break;
    case JOB_ERASE: finish_wish(keeper, job->err, &job->problem); break;
    }
    go_on_soon(keeper);
}

static void submit(struct cg_keeper *keeper, struct job *job, enum job_kind kind) {
    job->work = (struct cg_work){.run = run_job, .done = on_job_done};
    job->keeper = keeper;
    job->kind = kind;
    job->time = present();
    job->problem = (struct cg_problem){0};
    keeper->busy = true;
    cg_worker_do(keeper->worker, &job->work);
}

/* ---- What there is to do, a slice a turn ---- */

/* False: there is nothing, or no memory for it now. */
static bool fill_batch(struct cg_keeper *keeper, struct job *job, size_t most) {
    const struct cg_known *known;
    job->count = 0;
    job->records = calloc(most, sizeof *job->records);
    if (job->records == NULL) return false;
    while (job->count < most && (known = cg_known_take_changed(knowns_of(keeper))) != NULL)
        cg_known_record(known, &job->records[job->count++]);
    if (job->count == 0) release(job);
    return job->count > 0;
}

static void take_in_some(struct cg_keeper *keeper) {
    const struct job *job = &keeper->job;
    for (unsigned i = 0; i < BATCH && keeper->taken < job->count; i++)
        (void)cg_known_restore(knowns_of(keeper), &job->records[keeper->taken++]);
    if (keeper->taken == job->count) finish_load(keeper);
    go_on_soon(keeper);
}

static bool is_wished(const struct cg_keeper_wish *wish, const struct cg_known *known) {
    struct cg_known_record record;
    char shown[CG_ADDR_TEXT_MAX];
    if (wish->name[0] == '\0') return true;
    cg_known_record(known, &record);
    cg_known_shown(&record, shown);
    return strcmp(shown, wish->name) == 0;
}

/* False: there is more. Who answers meanwhile comes at the end of the walk, and is forgotten with the others. */
static bool forget_some(struct cg_keeper *keeper, struct cg_keeper_wish *wish) {
    struct cg_knowns *knowns = knowns_of(keeper);
    const struct cg_known *known;
    for (unsigned i = 0; i < BATCH; i++) {
        if ((known = cg_known_walk_next(&wish->walk)) == NULL) return true;
        if (!is_wished(wish, known)) continue;
        cg_known_forget(knowns, known);
        wish->forgotten++;
    }
    return false;
}

static void forget_in_memory(struct cg_keeper *keeper, struct cg_keeper_wish *wish) {
    if (!wish->walks) cg_known_walk_begin(knowns_of(keeper), &wish->walk);
    wish->walks = !forget_some(keeper, wish);
    if (!wish->walks) cg_known_walk_end(knowns_of(keeper), &wish->walk);
}

static void grant(struct cg_keeper *keeper, struct cg_keeper_wish *wish) {
    const bool saves = wish->unsaved > 0 && fill_batch(keeper, &keeper->job, BATCH);
    if (saves) {
        wish->unsaved -= keeper->job.count < wish->unsaved ? keeper->job.count : wish->unsaved;
        submit(keeper, &keeper->job, JOB_SAVE);
        return;
    }
    forget_in_memory(keeper, wish);
    if (wish->walks) {
        go_on_soon(keeper);
        return;
    }
    memcpy(keeper->job.name, wish->name, sizeof keeper->job.name);
    submit(keeper, &keeper->job, JOB_ERASE);
}

static void rest(struct cg_keeper *keeper);

static void take_turn(uv_timer_t *turn) {
    struct cg_keeper *keeper = turn->data;
    if (keeper->busy) return;
    if (!keeper->loaded) {
        take_in_some(keeper);
    } else if (keeper->wishes != NULL) {
        grant(keeper, keeper->wishes);
    } else if (keeper->due && fill_batch(keeper, &keeper->job, BATCH)) {
        submit(keeper, &keeper->job, JOB_SAVE);
    } else {
        rest(keeper);
    }
}

static void on_pause_over(uv_timer_t *pause) {
    struct cg_keeper *keeper = pause->data;
    keeper->due = true;
    go_on_soon(keeper);
}

static void rest(struct cg_keeper *keeper) {
    keeper->due = false;
    if (!uv_is_active((uv_handle_t *)&keeper->pause))
        CG_CHECK(uv_timer_start(&keeper->pause, on_pause_over, keeper->pause_ms, 0) == 0);
}

void cg_keeper_forget(struct cg_keeper *keeper, struct cg_keeper_wish *wish) {
    wish->unsaved = cg_knowns_count(knowns_of(keeper));
    wish->forgotten = 0;
    wish->walks = false;
    DL_APPEND(keeper->wishes, wish);
    go_on_soon(keeper);
}

/* ---- Beginning and end ---- */

struct cg_keeper *cg_keeper_open(uv_loop_t *uv, struct cg_gateway *gateway, const char *folder, unsigned pause_ms) {
    struct cg_keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper == NULL) return NULL;
    keeper->gateway = gateway;
    keeper->pause_ms = pause_ms;
    keeper->file = cg_members_file_new(folder, CG_KNOWN_KEEP_US, CG_KNOWN_MOST);
    keeper->worker = keeper->file == NULL ? NULL : cg_worker_new();
    if (keeper->worker == NULL) {
        cg_keeper_free(keeper);
        return NULL;
    }
    cg_worker_open(keeper->worker, uv);
    CG_CHECK(uv_timer_init(uv, &keeper->pause) == 0 && uv_timer_init(uv, &keeper->turn) == 0);
    keeper->pause.data = keeper->turn.data = keeper;
    submit(keeper, &keeper->job, JOB_LOAD);
    return keeper;
}

static void save_the_rest(struct cg_keeper *keeper) {
    const size_t most = cg_knowns_count(knowns_of(keeper));
    if (most > 0 && fill_batch(keeper, &keeper->last, most)) submit(keeper, &keeper->last, JOB_SAVE);
}

void cg_keeper_close(struct cg_keeper *keeper, void (*closed)(void *ctx), void *ctx) {
    struct cg_problem stopping = {0};
    if (keeper == NULL) {
        closed(ctx);
        return;
    }
    cg_problem_set(&stopping, CG_E_STOPPING, "the gateway is stopping");
    keeper->closing = true;
    while (keeper->wishes != NULL) finish_wish(keeper, CG_E_STOPPING, &stopping);
    save_the_rest(keeper);
    uv_close((uv_handle_t *)&keeper->pause, NULL);
    uv_close((uv_handle_t *)&keeper->turn, NULL);
    cg_worker_close(keeper->worker, closed, ctx);
}

void cg_keeper_free(struct cg_keeper *keeper) {
    if (keeper == NULL) return;
    cg_worker_free(keeper->worker);
    cg_members_file_free(keeper->file);
    release(&keeper->job);
    release(&keeper->last);
    free(keeper);
}

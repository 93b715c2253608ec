/* Settings read again, by SIGHUP: in its turn, like any other change (app/catalogue.c), and they are adopted when they
 * are good. Mistakes leave all as it was. What is stored, where it could not be read at the start, is read then, too,
 * and every few seconds by itself: what was in the way, another gateway or a disk, may have gone. */
#include <string.h>

#include "app/program.h"
#include "app/readiness.h"
#include "app/settings_file.h"
#include "base/check.h"
#include "base/container.h"

enum { STOCK_RETRY_MS = 5000 };

/* What is said before the settings are in use, and of them. */
static void log_findings(const struct cg_program *program) {
    const struct cg_load *load = &program->catalogue.load;
    cg_settings_log_mistakes(CG_LOG_WARNING, "reload", program->file, &load->restarts);
    cg_settings_log_mistakes(CG_LOG_WARNING, "settings", program->file, &load->warnings);
}

static void adopt(struct cg_program *program, struct cg_proposal *proposal) {
    struct cg_catalogue *catalogue = &program->catalogue.catalogue;
    log_findings(program);
    catalogue->adopt(catalogue, proposal);
    cg_readiness_log_interfaces(program);
    cg_fronts_reload(program);
    cg_manage_tell_reloaded(program->manage);
    cg_log(CG_LOG_INFO, "reload", "the settings are in use");
}

static void leave(struct cg_program *program, struct cg_proposal *proposal) {
    struct cg_catalogue *catalogue = &program->catalogue.catalogue;
    catalogue->drop(catalogue, proposal);
    if (program->stopped_us != 0) return;
    cg_settings_log_mistakes(CG_LOG_ERROR, "reload", program->file, &proposal->mistakes);
    if (proposal->problem.err < 0) cg_log(CG_LOG_ERROR, "reload", "%s", proposal->problem.detail);
    cg_log(CG_LOG_ERROR, "reload", "the settings in use stay as they are");
}

/* Not while another is asked for: the manager waits for that one's end, too. */
static void tell_manager(struct cg_program *program, const struct cg_proposal *proposal) {
    const struct cg_mistake *mistake = proposal->mistakes.first;
    if (program->reload.again || program->stopped_us != 0) return;
    if (proposal->err == CG_OK) {
        cg_program_tell_ready(program);
        return;
    }
    cg_notify_ready(&program->notify, "the settings in use stay as they are: %s: %s", program->file,
                    mistake != NULL ? mistake->message : proposal->problem.detail);
}

static void end_reload(struct cg_program *program) {
    struct cg_reload *reload = &program->reload;
    reload->is_wanted = false;
    cg_manage_end_turn(program->manage, &reload->turn);
    if (reload->again) cg_program_reload(program);
}

static void on_proposed(struct cg_proposal *proposal) {
    struct cg_reload *reload = CG_CONTAINER(proposal, struct cg_reload, proposal);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    if (proposal->err == CG_OK && program->stopped_us == 0) {
        adopt(program, proposal);
    } else {
        leave(program, proposal);
    }
    tell_manager(program, proposal);
    cg_mistakes_fini(&proposal->mistakes);
    cg_mistakes_fini(&proposal->warnings);
    end_reload(program);
}

static void propose(struct cg_program *program) {
    struct cg_reload *reload = &program->reload;
    struct cg_catalogue *catalogue = &program->catalogue.catalogue;
    reload->again = false; /* the file is read from here on */
    reload->proposal = (struct cg_proposal){.done = on_proposed};
    cg_mistakes_init(&reload->proposal.mistakes);
    cg_mistakes_init(&reload->proposal.warnings);
    catalogue->propose(catalogue, &reload->proposal);
}

/* ---- What is stored, where it could not be read at the start ---- */

static void on_retry(uv_timer_t *retry);

static void read_stock(struct cg_work *work) {
    struct cg_reload *reload = CG_CONTAINER(work, struct cg_reload, work);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    cg_stock_load(&reload->stock, cg_manage_file(program->manage));
}

/* Once for each reason: it is asked for again and again. */
static void tell_of_stock(const struct cg_program *program, const struct cg_stock *stock) {
    bool is_known = strcmp(program->stock_problem.detail, stock->problem.detail) == 0;
    if (program->reload.cause == CG_RELOAD_FOR_STOCK && is_known) return;
    cg_log(CG_LOG_ERROR, "reload", "what is stored is not in use: %s", stock->problem.detail);
}

static void retry_later(struct cg_program *program) {
    if (program->stopped_us != 0) return;
    CG_CHECK(uv_timer_start(&program->reload.retry, on_retry, STOCK_RETRY_MS, 0) == 0);
}

static void on_stock(struct cg_work *work) {
    struct cg_reload *reload = CG_CONTAINER(work, struct cg_reload, work);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    struct cg_stock *stock = &reload->stock;
    if (stock->err == CG_OK) {
        stock->err = cg_manage_fill(program->manage, stock->items, stock->count);
        stock->count = 0;
    }
    bool failed = stock->err < 0;
    if (failed) tell_of_stock(program, stock);
    program->stock_problem = failed ? stock->problem : (struct cg_problem){0};
    cg_stock_fini(stock);
    if (failed) retry_later(program);
    if (failed && reload->cause == CG_RELOAD_FOR_STOCK) {
        end_reload(program);
    } else {
        propose(program);
    }
}

static void begin(struct cg_manage_turn *turn) {
    struct cg_reload *reload = CG_CONTAINER(turn, struct cg_reload, turn);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    if (program->stock_problem.err == 0) {
        propose(program);
        return;
    }
    reload->stock = (struct cg_stock){0};
    reload->work = (struct cg_work){.run = read_stock, .done = on_stock};
    cg_worker_do(program->disk, &reload->work);
}

static void forgotten(struct cg_manage_turn *turn) { CG_CONTAINER(turn, struct cg_reload, turn)->is_wanted = false; }

static void take_turn(struct cg_program *program, enum cg_reload_cause cause) {
    struct cg_reload *reload = &program->reload;
    reload->is_wanted = true;
    reload->again = false;
    reload->cause = cause;
    reload->turn = (struct cg_manage_turn){.begin = begin, .forgotten = forgotten};
    cg_manage_take_turn(program->manage, &reload->turn);
}

/* A reload that runs looks for itself, and comes back here where it fails. */
static void on_retry(uv_timer_t *retry) {
    struct cg_program *program = retry->data;
    if (program->reload.is_wanted || program->stopped_us != 0 || program->stock_problem.err == 0) return;
    take_turn(program, CG_RELOAD_FOR_STOCK);
}

void cg_program_reload(struct cg_program *program) {
    struct cg_reload *reload = &program->reload;
    if (program->stopped_us == 0) cg_notify_reloading(&program->notify);
    reload->again = reload->is_wanted;
    if (reload->is_wanted || program->stopped_us != 0) return;
    take_turn(program, CG_RELOAD_ASKED_FOR);
}

void cg_program_init_reload(struct cg_program *program) {
    CG_CHECK(uv_timer_init(&program->loop.uv, &program->reload.retry) == 0);
    program->reload.retry.data = program;
    if (program->stock_problem.err != 0) retry_later(program);
}

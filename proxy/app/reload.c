/* Settings read again, by SIGHUP: in its turn, like any other change (app/catalogue.c), and they are adopted when they
 * are good. Mistakes leave all as it was. */
#include "app/program.h"
#include "app/readiness.h"
#include "app/settings_file.h"
#include "base/container.h"

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

static void on_proposed(struct cg_proposal *proposal) {
    struct cg_reload *reload = CG_CONTAINER(proposal, struct cg_reload, proposal);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    if (proposal->err == CG_OK && program->stopped_us == 0) {
        adopt(program, proposal);
    } else {
        leave(program, proposal);
    }
    cg_mistakes_fini(&proposal->mistakes);
    cg_mistakes_fini(&proposal->warnings);
    reload->is_wanted = false;
    cg_manage_end_turn(program->manage, &reload->turn);
    if (reload->again) cg_program_reload(program);
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

static void read_stock(struct cg_work *work) {
    struct cg_reload *reload = CG_CONTAINER(work, struct cg_reload, work);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    cg_stock_load(&reload->stock, cg_manage_file(program->manage));
}

static void on_stock(struct cg_work *work) {
    struct cg_reload *reload = CG_CONTAINER(work, struct cg_reload, work);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    struct cg_stock *stock = &reload->stock;
    if (stock->err == CG_OK) {
        stock->err = cg_manage_fill(program->manage, stock->items, stock->count);
        stock->count = 0;
    }
    program->stock_problem = stock->err < 0 ? stock->problem : (struct cg_problem){0};
    if (stock->err < 0) cg_log(CG_LOG_ERROR, "reload", "what is stored is not in use: %s", stock->problem.detail);
    cg_stock_fini(stock);
    propose(program);
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

void cg_program_reload(struct cg_program *program) {
    struct cg_reload *reload = &program->reload;
    reload->again = reload->is_wanted;
    if (reload->is_wanted || program->stopped_us != 0) return;
    reload->is_wanted = true;
    reload->turn = (struct cg_manage_turn){.begin = begin, .forgotten = forgotten};
    cg_manage_take_turn(program->manage, &reload->turn);
}

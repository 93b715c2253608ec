/* Settings read again, by SIGHUP: the worker loads them while the loop goes on, and they are adopted when they are
 * good. The hard thing: all of it happens or nothing does, so what may fail comes first, and what is then left cannot.
 */
#include "app/program.h"
#include "app/settings_file.h"
#include "base/container.h"

/* Puts the new snapshot to use; on failure the old one stays. */
static int adopt(struct cg_program *program, struct cg_problem *problem) {
    struct cg_load *load = &program->reload.load;
    struct cg_loop *loop = &program->loop;
    int err = cg_load_adopt_protectors(load, problem);
    if (err == CG_OK) {
        err = cg_protectors_open(&program->protectors, &loop->uv, loop->gateway, load->config, problem);
    }
    if (err < 0) return err;
    cg_settings_log_mistakes(CG_LOG_WARNING, "reload", program->file, &load->restarts);
    cg_settings_log_mistakes(CG_LOG_WARNING, "settings", program->file, &load->warnings);
    cg_load_adopt_names(load);
    cg_gateway_adopt(loop->gateway, load->config);
    cg_names_open(program->names, &loop->uv);
    return CG_OK;
}

static void take(struct cg_program *program) {
    const struct cg_load *load = &program->reload.load;
    struct cg_problem problem = load->problem;
    if (load->err == CG_OK && adopt(program, &problem) == CG_OK) {
        cg_fronts_reload(program);
        cg_log(CG_LOG_INFO, "reload", "the settings are in use");
        return;
    }
    cg_settings_log_mistakes(CG_LOG_ERROR, "reload", program->file, &load->mistakes);
    if (problem.err < 0) cg_log(CG_LOG_ERROR, "reload", "%s", problem.detail);
    cg_log(CG_LOG_ERROR, "reload", "the settings in use stay as they are");
}

static void run(struct cg_work *work) { cg_load_run(&CG_CONTAINER(work, struct cg_reload, work)->load); }

static void done(struct cg_work *work) {
    struct cg_reload *reload = CG_CONTAINER(work, struct cg_reload, work);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    bool goes_on = program->stopped_us == 0;
    if (goes_on) take(program);
    cg_config_unref(reload->load.old);
    cg_load_fini(&reload->load);
    reload->running = false;
    if (goes_on && reload->again) cg_program_reload(program);
}

void cg_program_reload(struct cg_program *program) {
    struct cg_reload *reload = &program->reload;
    reload->again = reload->running;
    if (reload->running) return;
    reload->running = true;
    reload->load = (struct cg_load){
        .file = program->file,
        .names = program->names,
        .protectors = &program->protectors,
        .worker = program->worker,
        .old = cg_config_ref(cg_gateway_config(program->loop.gateway)),
    };
    reload->work = (struct cg_work){.run = run, .done = done};
    cg_worker_do(program->worker, &reload->work);
}

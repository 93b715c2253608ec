/* Settings read again, by SIGHUP: the worker loads them while the loop goes on, and they are adopted when they are
 * good. The hard thing: all of it happens or nothing does, so what may fail comes first, and what is then left cannot.
 */
#include <stdlib.h>

#include "app/program.h"
#include "app/readiness.h"
#include "app/settings_file.h"
#include "base/container.h"
#include "base/hash.h"

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
    cg_warming_look(program->warming);
    cg_reactions_look(program->reactions);
    cg_reports_look(program->reports);
    cg_names_open(program->names, &loop->uv);
    cg_claims_hurry(&program->claims);
    cg_readiness_log_interfaces(program);
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

static void finish(struct cg_program *program) {
    struct cg_reload *reload = &program->reload;
    bool goes_on = program->stopped_us == 0;
    if (goes_on) take(program);
    cg_config_unref(reload->load.old);
    cg_load_fini(&reload->load);
    reload->running = false;
    if (goes_on && reload->again) cg_program_reload(program);
}

/* ---- Keys that are new: none may come into use that could not send ---- */

static void refuse_key(struct cg_load *load, const char *group, const char *reason) {
    const struct cg_security_keys *keys;
    HASH_FIND_STR(load->config->security_groups_by_name, group, keys);
    cg_log(CG_LOG_ERROR, "reload", "security group %s: %s. If it has never sent: castgate-keys claim %s --state %s",
           group, reason, keys == NULL ? "FILE" : keys->file, load->config->state);
    load->err = CG_E_KEY_REFUSED;
}

static void judge(struct cg_reload *reload) {
    const struct cg_store_job *look = &reload->look;
    for (size_t i = 0; look->err == CG_OK && i < look->count; i++) {
        const char *reason = cg_claims_reason(cg_claims_judge(&look->looks[i]));
        if (reason != NULL) refuse_key(&reload->load, look->looks[i].ctx, reason);
    }
}

static void on_looked(struct cg_store_job *job) {
    struct cg_program *program = job->ctx;
    struct cg_reload *reload = &program->reload;
    if (reload->looking) {
        reload->looking = false;
        judge(reload);
        finish(program);
    }
    free(job->looks);
    job->looks = NULL;
}

/* A store that cannot be asked refuses nobody: /readyz and the log tell of it. */
static bool may_ask(struct cg_program *program) {
    struct cg_problem unused;
    const struct cg_config *config = cg_gateway_config(program->loop.gateway);
    return cg_protectors_store(&program->protectors, &program->loop.uv, config) != NULL &&
           cg_protectors_status(&program->protectors, &unused) == CG_OK;
}

/* True: on_looked comes. */
static bool ask_about_keys(struct cg_program *program) {
    struct cg_reload *reload = &program->reload;
    struct cg_store_look *looks;
    size_t count;
    if (cg_protectors_new_keys(reload->load.protectors_plan, &looks, &count) < 0) {
        reload->load.err = cg_problem_no_memory(&reload->load.problem);
        return false;
    }
    if (count == 0 || !may_ask(program)) {
        free(looks);
        return false;
    }
    reload->looking = true;
    reload->look = (struct cg_store_job){
        .operation = CG_STORE_LOOK, .looks = looks, .count = count, .done = on_looked, .ctx = program};
    struct cg_store *store = cg_store_thread_store(program->protectors.store);
    store->ops->submit(store, &reload->look);
    return true;
}

static void done(struct cg_work *work) {
    struct cg_reload *reload = CG_CONTAINER(work, struct cg_reload, work);
    struct cg_program *program = CG_CONTAINER(reload, struct cg_program, reload);
    bool asked = program->stopped_us == 0 && reload->load.err == CG_OK && ask_about_keys(program);
    if (!asked) finish(program);
}

void cg_program_forget_reload(struct cg_program *program) {
    if (!program->reload.looking) return;
    program->reload.looking = false;
    finish(program);
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

/* Settings read again, by SIGHUP. The hard thing: everything that can fail is done before the new snapshot is used, and
 * undone if it fails. */
#include "app/program.h"
#include "app/settings_file.h"
#include "base/check.h"

/* Puts the new snapshot to use; on failure the old one stays. */
static int adopt(struct cg_program *program, struct cg_config *fresh, struct cg_problem *problem) {
    struct cg_loop *loop = &program->loop;
    struct cg_config *old = cg_gateway_config(loop->gateway);
    int err = cg_names_attach(program->names, fresh, problem);
    if (err < 0) return err;
    err = cg_protectors_attach(&program->protectors, fresh, problem);
    if (err == CG_OK) err = cg_protectors_open(&program->protectors, &loop->uv, loop->gateway, fresh, problem);
    if (err < 0) {
        CG_CHECK(cg_names_attach(program->names, old, problem) == CG_OK); /* its names are all there */
        return err;
    }
    cg_settings_log_restarts(program->file, old, fresh);
    cg_settings_log_warnings(program->file, fresh);
    cg_gateway_adopt(loop->gateway, fresh);
    cg_names_open(program->names, &loop->uv);
    return CG_OK;
}

void cg_program_reload(struct cg_program *program) {
    struct cg_mistakes mistakes;
    struct cg_problem problem = {0};
    cg_mistakes_init(&mistakes);
    struct cg_config *fresh = NULL;
    int err = cg_settings_load(program->file, &fresh, &mistakes);
    if (err == CG_E_NO_MEMORY) cg_problem_no_memory(&problem);
    if (err == CG_OK) err = adopt(program, fresh, &problem);
    if (err < 0) {
        cg_settings_log_mistakes(CG_LOG_ERROR, "reload", program->file, &mistakes);
        if (problem.err < 0) cg_log(CG_LOG_ERROR, "reload", "%s", problem.detail);
        cg_log(CG_LOG_ERROR, "reload", "the settings in use stay as they are");
    } else {
        cg_fronts_reload(program);
        cg_log(CG_LOG_INFO, "reload", "the settings are in use");
    }
    cg_config_unref(fresh);
    cg_mistakes_fini(&mistakes);
}

/* The gateway in service: composed, opened, run. The hard thing: each part may need those before it to the very end, so
 * they are made in one order and go in the other. */
#include "app/serve.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "app/program.h"
#include "app/settings_file.h"
#include "base/check.h"
#include "base/log.h"
#include "builtin.h"

enum { FDS_ENOUGH = 4096 };

#define ROW(name) &cg_plugin_##name,
static const struct castgate_plugin *const builtin_plugins[] = {CG_BUILTIN_ENCODERS(ROW)};
#undef ROW
static const struct cg_encoder_list builtin_encoders = {.plugins = builtin_plugins,
                                                        .count = sizeof builtin_plugins / sizeof *builtin_plugins};

/* Telling */

static void log_ready(const struct cg_config *config) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "ready");
    cg_log_str(&line, "version", CASTGATE_VERSION);
    cg_log_u64(&line, "mappings", config->mapping_count);
    cg_log_end(&line);
}

/* The soft limit is low for the sake of programs that use select(), which nothing here does. */
static void raise_fd_limit(void) {
    struct rlimit fds;
    if (getrlimit(RLIMIT_NOFILE, &fds) != 0) return;
    fds.rlim_cur = fds.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &fds) != 0 || fds.rlim_max == RLIM_INFINITY || fds.rlim_max >= FDS_ENOUGH) return;
    cg_log(CG_LOG_WARNING, "start",
           "only %llu files and sockets may be open (ulimit -n, LimitNOFILE): fewer clients at once",
           (unsigned long long)fds.rlim_max);
}

/* Composition */

static void on_signal(void *ctx, int number) {
    struct cg_program *program = ctx;
    if (number == SIGHUP) {
        if (program->stopped_us == 0) cg_program_reload(program);
    } else {
        cg_program_stop(program);
    }
}

static bool fails(const struct cg_problem *problem) {
    cg_log(CG_LOG_ERROR, "start", "%s", problem->detail);
    return false;
}

/* What needs no loop. */
static bool compose(struct cg_program *program, struct cg_config *config, struct cg_problem *problem) {
    cg_protectors_init(&program->protectors);
    program->names = cg_names_new(&(struct cg_names_options){0});
    if (program->names == NULL) return cg_problem_no_memory(problem) == CG_OK;
    return cg_plugins_load(&program->plugins, &builtin_encoders, config, problem) == CG_OK &&
           cg_protectors_attach(&program->protectors, config, problem) == CG_OK &&
           cg_names_attach(program->names, config, problem) == CG_OK;
}

static bool open_all(struct cg_program *program, const struct cg_config *config, struct cg_problem *problem) {
    struct cg_loop *loop = &program->loop;
    cg_program_init_end(program);
    cg_names_open(program->names, &loop->uv);
    if (cg_protectors_open(&program->protectors, &loop->uv, loop->gateway, config, problem) < 0) return false;
    return cg_fronts_open(program, problem) == CG_OK;
}

/* Until it is told to end. */
static bool serve(struct cg_program *program, struct cg_config *config, struct cg_problem *problem) {
    if (cg_loop_init(&program->loop, config, on_signal, program, problem) < 0) return fails(problem);
    bool opened = open_all(program, config, problem);
    if (opened) {
        cg_fronts_log_listeners(program);
        log_ready(config);
    } else {
        fails(problem);
        cg_program_close(program);
    }
    cg_loop_run(&program->loop);
    cg_loop_fini(&program->loop);
    return opened;
}

static void dissolve(struct cg_program *program, struct cg_config *config) {
    cg_plugins_fini(&program->plugins);
    cg_protectors_fini(&program->protectors);
    cg_config_unref(config);
    cg_names_free(program->names); /* the settings' targets have their groups from there */
}

/* Takes the reference. */
static bool run(struct cg_program *program, struct cg_config *config) {
    struct cg_problem problem = {0};
    cg_settings_log_warnings(program->file, config);
    raise_fd_limit();
    bool composed = compose(program, config, &problem) || fails(&problem);
    bool served = composed && serve(program, config, &problem);
    dissolve(program, config);
    return served;
}

int cg_serve(const char *file) {
    struct cg_program program = {.file = file};
    struct cg_config *config = cg_settings_load_or_print(file);
    if (config == NULL) return CG_EXIT_SETTINGS;
    program.log = cg_log_writer_open();
    if (program.log == NULL) {
        cg_log(CG_LOG_ERROR, "start", "no memory or no thread for the log");
        cg_config_unref(config);
        return EXIT_FAILURE;
    }
    bool served = run(&program, config);
    cg_log_writer_close(program.log);
    return served ? EXIT_SUCCESS : EXIT_FAILURE;
}

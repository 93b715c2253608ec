/* The gateway in service: composed, opened, run. The hard thing: each part may need those before it to the very end, so
 * they are made in one order and go in the other. */
#include "app/serve.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/encoders.h"
#include "app/former_port.h"
#include "app/journal.h"
#include "app/program.h"
#include "app/readiness.h"
#include "app/settings_file.h"
#include "app/stock.h"
#include "base/check.h"
#include "base/container.h"
#include "base/log.h"
#include "base/text.h"
#include "builtin.h"
#include "io/log_time.h"

enum { FDS_ENOUGH = 4096 };

/* Telling */

static void log_ready(const struct cg_config *config) {
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "ready");
    cg_log_str(&line, "version", CASTGATE_VERSION);
    cg_log_u64(&line, "mappings", cg_config_mappings(config));
    cg_log_end(&line);
}

void cg_program_tell_ready(struct cg_program *program) {
    const struct cg_config *config = cg_gateway_config(program->loop.gateway);
    cg_notify_ready(&program->notify, "serving %zu mappings", cg_config_mappings(config));
}

/* Somebody who has keys to claim may come before the settings that use them. */
struct cg_store *cg_program_store(struct cg_program *program) {
    if (program->stopped_us != 0) return NULL;
    return cg_protectors_store(&program->protectors, &program->loop.uv, cg_gateway_config(program->loop.gateway));
}

static struct cg_store *find_store(void *ctx) { return cg_program_store(ctx); }

static struct cg_keeper *find_keeper(void *ctx) {
    struct cg_program *program = ctx;
    return program->stopped_us != 0 ? NULL : program->keeper;
}

static struct cg_slice first_line(const struct cg_buf *lines) {
    struct cg_slice rest = cg_buf_slice(lines), line;
    return cg_next_line(&rest, &line) ? line : CG_SLICE_NONE;
}

/* For whoever asks the control socket: more of the object that is open. */
static void put_status(void *ctx, struct cg_buf *to) {
    struct cg_program *program = ctx;
    struct cg_buf reasons;
    const struct cg_gateway *gateway = program->loop.gateway;
    cg_buf_init(&reasons, 0);
    bool ready = program->stopped_us == 0 && cg_readiness_put(program, CG_READINESS_NAMES, &reasons) == 0;
    cg_buf_printf(to, ",\"version\":\"" CASTGATE_VERSION "\",\"process\":%ld,\"mappings\":%zu,\"exchanges\":%zu,",
                  (long)getpid(), cg_config_mappings(cg_gateway_config(gateway)), cg_gateway_running(gateway));
    cg_buf_put_str(to, "\"listeners\":");
    cg_listeners_put_json(&program->listeners, to);
    cg_buf_printf(to, ",\"cold_members\":%zu,\"log_lines_lost\":%llu,\"ready\":%s,\"detail\":",
                  cg_protectors_cold(&program->protectors), (unsigned long long)cg_log_writer_lost(program->log),
                  ready ? "true" : "false");
    cg_buf_put_json(to, program->stopped_us != 0 ? cg_slice_str("stopping") : first_line(&reasons));
    cg_buf_fini(&reasons);
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

/* What needs no loop. The settings are loaded by the worker, too: what its thread leaves free it uses again at a
 * reload. */
static bool compose(struct cg_program *program) {
    cg_protectors_init(&program->protectors);
    program->names = cg_names_new(&(struct cg_names_options){0});
    program->worker = cg_worker_new();
    program->disk = cg_worker_new();
    cg_app_catalogue_init(program);
    return program->names != NULL && program->worker != NULL && program->disk != NULL;
}

/* Settings that are good in themselves. */
static bool take_settings(struct cg_program *program, struct cg_load *load, struct cg_problem *problem) {
    *problem = load->problem;
    if (load->err < 0 ||
        cg_plugins_load(&program->plugins, &cg_builtin_encoders, load->config, &cg_plugins_log, problem) < 0 ||
        cg_load_stage(load, problem) < 0)
        return false;
    cg_load_adopt(load);
    return true;
}

static bool open_warming(struct cg_program *program, struct cg_problem *problem) {
    program->warming = cg_warming_new(program->loop.gateway);
    if (program->warming == NULL) return cg_problem_no_memory(problem) == CG_OK;
    cg_warming_look(program->warming);
    return true;
}

/* Who wants to hear of members' requests is added here, in the order in which they are told: who acts first. */
static bool open_inbound(struct cg_program *program, struct cg_problem *problem) {
    program->inbound = cg_inbound_new(program->loop.gateway);
    program->reactions = cg_reactions_new(program->loop.gateway);
    program->reports = cg_reports_new(program->loop.gateway);
    if (program->inbound == NULL || program->reactions == NULL || program->reports == NULL)
        return cg_problem_no_memory(problem) == CG_OK;
    cg_inbound_add_hearer(program->inbound, cg_reactions_hearer(program->reactions));
    cg_inbound_add_hearer(program->inbound, cg_reports_hearer(program->reports));
    return true;
}

static bool open_hops(struct cg_program *program) {
    struct cg_loop *loop = &program->loop;
    program->hops = cg_hop_connections_open(&loop->uv, cg_gateway_engine(loop->gateway), &cg_hop_usual_limits);
    if (program->hops == NULL) return false;
    loop->port.connections = cg_hop_connections_port(program->hops);
    return true;
}

static bool open_discoveries(struct cg_program *program, struct cg_problem *problem) {
    program->discoveries = cg_discoveries_new(program->loop.gateway, cg_protector_none());
    return program->discoveries != NULL || cg_problem_no_memory(problem) == CG_OK;
}

static int64_t unix_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool open_recorder(struct cg_program *program, struct cg_problem *problem) {
    program->recorder = cg_recorder_new(&(struct cg_recorder_options){.gateway = program->loop.gateway,
                                                                      .clock_ms = unix_ms,
                                                                      .local = cg_group_socket_local,
                                                                      .local_ctx = program->loop.group});
    program->figures = cg_figures_new(program->loop.gateway, unix_ms);
    return (program->recorder != NULL && program->figures != NULL) || cg_problem_no_memory(problem) == CG_OK;
}

static bool open_all(struct cg_program *program, const struct cg_config *config, struct cg_problem *problem) {
    struct cg_loop *loop = &program->loop;
    cg_notify_open(&program->notify, &loop->uv);
    cg_program_init_end(program);
    cg_program_init_reload(program);
    cg_expiry_open(&program->expiry, &loop->uv, loop->gateway);
    cg_names_open(program->names, &loop->uv);
    if (!open_hops(program)) return cg_problem_no_memory(problem) == CG_OK;
    cg_worker_open(program->worker, &loop->uv);
    cg_worker_open(program->disk, &loop->uv);
    cg_claims_open(&program->claims, &program->protectors, &loop->uv);
    cg_client_claims_open(&program->client_claims, &program->protectors, loop->gateway, &loop->uv);
    if (!cg_app_groups_open(program)) return cg_problem_no_memory(problem) == CG_OK;
    if (cg_protectors_open(&program->protectors, &loop->uv, loop->gateway, config, problem) < 0) return false;
    if (!open_discoveries(program, problem) || !open_inbound(program, problem) || !open_recorder(program, problem) ||
        cg_fronts_open(program, problem) < 0)
        return false;
    program->keeper = cg_keeper_open(&loop->uv, loop->gateway, config->state, CG_KEEPER_PAUSE_MS);
    if (program->keeper == NULL) {
        cg_problem_no_memory(problem);
        return false;
    }
    const struct cg_control_source control = {.store = find_store,
                                              .status = put_status,
                                              .keeper = find_keeper,
                                              .loop = loop,
                                              .reactions = program->reactions,
                                              .reports = program->reports,
                                              .manage = program->manage,
                                              .discoveries = program->discoveries,
                                              .ctx = program};
    program->control = cg_control_open(&loop->uv, config->state, &control, problem);
    if (program->control == NULL || !open_warming(program, problem)) return false;
    cg_first_token_open(&program->first_token, program);
    return true;
}

/* Until it is told to end. The gateway has the settings as long as it needs them, which is not for ever. */
static bool serve(struct cg_program *program, struct cg_load *load, struct cg_problem *problem) {
    if (cg_former_port_init_loop(&program->loop, load->config, on_signal, program, problem) < 0) return fails(problem);
    bool opened = open_all(program, load->config, problem);
    if (opened) {
        cg_readiness_log_interfaces(program);
        cg_fronts_tell_listeners(program);
        log_ready(load->config);
        cg_program_tell_ready(program);
    } else {
        fails(problem);
        cg_program_close(program);
    }
    cg_load_fini(load);
    cg_loop_run(&program->loop);
    cg_reports_free(program->reports);
    cg_loop_fini(&program->loop);
    cg_hop_connections_free(program->hops);
    cg_warming_free(program->warming);
    cg_reactions_free(program->reactions);
    cg_discoveries_free(program->discoveries);
    cg_recorder_free(program->recorder);
    cg_figures_free(program->figures);
    return opened;
}

static void dissolve(struct cg_program *program) {
    cg_plugins_fini(&program->plugins);
    cg_listeners_fini(&program->listeners);
    cg_app_groups_fini(&program->groups);
    cg_worker_free(program->disk);
    cg_first_token_free(&program->first_token);
    cg_manage_free(program->manage);
    cg_protectors_fini(&program->protectors);
    cg_client_claims_fini(&program->client_claims);
    cg_keeper_free(program->keeper);
    cg_worker_free(program->worker); /* it frees the settings */
    cg_names_free(program->names);   /* whose targets have their groups from there */
}

static bool run(struct cg_program *program, struct cg_load *load) {
    struct cg_problem problem = {0};
    cg_settings_log_mistakes(CG_LOG_WARNING, "settings", program->file, &load->warnings);
    if (program->stock_problem.err < 0)
        cg_log(CG_LOG_ERROR, "start", "what is stored is not in use: %s", program->stock_problem.detail);
    raise_fd_limit();
    return (take_settings(program, load, &problem) || fails(&problem)) && serve(program, load, &problem);
}

/* The first load, on the threads that later ones are on. */
struct start {
    struct cg_program *program;
    struct cg_load load;
    struct cg_stock stock;
    struct cg_work work;
};

static void run_load(struct cg_work *work) { cg_load_run(&CG_CONTAINER(work, struct start, work)->load); }

static void load(struct start *start) {
    struct cg_program *program = start->program;
    start->load = (struct cg_load){.file = program->file,
                                   .stored = {.items = start->stock.items,
                                              .count = start->stock.count,
                                              .unseal = cg_app_groups_unseal,
                                              .ctx = &program->groups},
                                   .names = program->names,
                                   .protectors = &program->protectors,
                                   .worker = program->worker};
    start->work.run = run_load;
    cg_worker_do_now(program->worker, &start->work);
}

static void read_stock(struct cg_work *work) {
    struct start *start = CG_CONTAINER(work, struct start, work);
    cg_stock_read(&start->stock, &start->program->protectors, start->load.config->state);
}

static bool open_manage(struct start *start) {
    struct cg_program *program = start->program;
    struct cg_stock *stock = &start->stock;
    const struct cg_manage_options options = {.catalogue = &program->catalogue.catalogue,
                                              .file = stock->file,
                                              .disk = program->disk,
                                              .clock_ms = unix_ms,
                                              .unread = &program->stock_problem};
    if (stock->file == NULL) return false;
    if (stock->err < 0) program->stock_problem = stock->problem;
    program->manage = cg_manage_new(&options, stock->items, stock->count);
    stock->file = NULL;
    stock->count = 0;
    return program->manage != NULL;
}

/* Where what is stored lies, the settings file says: with something there, it is read once more, for both together. */
static bool load_all(struct start *start) {
    load(start);
    if (start->load.config == NULL) return true;
    cg_app_groups_open_seal(&start->program->groups, start->load.config);
    start->work.run = read_stock;
    cg_worker_do_now(start->program->disk, &start->work);
    if (start->stock.count > 0) {
        cg_load_fini(&start->load);
        load(start);
    }
    return open_manage(start);
}

static int load_and_run(struct cg_program *program) {
    struct start first = {.program = program};
    bool has_memory = load_all(&first);
    int status = CG_EXIT_SETTINGS;
    if (first.load.config == NULL) {
        cg_settings_print_mistakes(program->file, first.load.err, &first.load.mistakes);
    } else if (!has_memory || (program->log = cg_log_writer_open(CG_LOG_PATIENCE_MS)) == NULL) {
        cg_log(CG_LOG_ERROR, "start", "no memory, or no thread for the log");
        status = EXIT_FAILURE;
    } else {
        status = run(program, &first.load) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    cg_load_fini(&first.load);
    cg_stock_fini(&first.stock);
    return status;
}

int cg_serve(const char *file) {
    cg_log_stamp_with(cg_journal_reads_stderr() ? cg_journal_priority : cg_log_time);
    struct cg_program program = {.file = file};
    signal(SIGHUP, SIG_IGN); /* until it is listened to: what would be read again is not read yet */
    cg_notify_init(&program.notify);
    int status = EXIT_FAILURE;
    if (compose(&program)) {
        status = load_and_run(&program);
    } else {
        cg_log(CG_LOG_ERROR, "start", "no memory, or no thread, to load the settings with");
    }
    dissolve(&program);
    cg_notify_fini(&program.notify);
    cg_log_writer_close(program.log);
    return status;
}

/* The gateway as a program: command line, settings, wiring, signals. The hard thing is the order of the end: first no
 * new requests, then the running exchanges with their replies, at most five seconds of that, and only then the sockets;
 * and a disk that does not answer must not make it longer. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "builtin.h"
#include "fronts/admin/admin.h"
#include "app/check/check.h"
#include "fronts/http/front.h"
#include "io/log_writer.h"
#include "io/loop.h"
#include "io/names.h"
#include "app/protectors.h"
#include "app/plugins.h"
#include "settings/security_group.h"
#include "settings/settings.h"
#include "store/sqlite.h"

enum {
    EXIT_SETTINGS = 2,
    END_POLL_MS = 20,
    END_PATIENCE_US = 4500000,
    EARLY_FINISH_US = 4000000,
    END_MS = 4800,
    FDS_ENOUGH = 4096
};

#define DEFAULT_SETTINGS "/etc/castgate/castgate.json"

struct program {
    const char *file;
    struct cg_log_writer *log;
    struct cg_loop loop;
    struct cg_protectors protectors;
    struct cg_names *names;
    struct cg_plugins plugins;
    struct cg_front_http *http;
    struct cg_admin *admin;
    uv_timer_t ending;   /* while stopping: looks whether all is done */
    uv_timer_t deadline; /* while stopping: the store's thread may wait for its disk for longer */
    uint64_t stopped_us; /* when the end began; 0: running */
    bool finished_early; /* the exchanges were told to end with what they have */
};

static const struct castgate_plugin *const builtin_plugins[] = {&cg_plugin_mixed, &cg_plugin_json, &cg_plugin_sse};
static const struct cg_encoder_list builtin_encoders = {.plugins = builtin_plugins,
                                                        .count = sizeof builtin_plugins / sizeof *builtin_plugins};

/* Settings */

static void print_mistakes(const char *file, const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *it = mistakes->first; it != NULL; it = it->next) {
        fprintf(stderr, "%s: %s: %s\n", file, it->pointer[0] == 0 ? "/" : it->pointer, it->message);
    }
    if (mistakes->count > mistakes->listed)
        fprintf(stderr, "%s: and %zu more\n", file, mistakes->count - mistakes->listed);
}

static void log_mistakes(enum cg_log_level level, const char *event, const char *file,
                         const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *it = mistakes->first; it != NULL; it = it->next) {
        struct cg_log_line line;
        cg_log_begin(&line, level, event);
        cg_log_str(&line, "file", file);
        cg_log_str(&line, "at", it->pointer);
        cg_log_str(&line, "msg", it->message);
        cg_log_end(&line);
    }
    if (mistakes->count > mistakes->listed) cg_log(level, event, "and %zu more", mistakes->count - mistakes->listed);
}

static void log_warnings(const char *file, const struct cg_config *config) {
    struct cg_mistakes warnings;
    cg_mistakes_init(&warnings);
    cg_settings_warnings(config, &warnings);
    log_mistakes(CG_LOG_WARNING, "settings", file, &warnings);
    cg_mistakes_fini(&warnings);
}

static void log_restarts(const char *file, const struct cg_config *old, const struct cg_config *fresh) {
    struct cg_mistakes warnings;
    cg_mistakes_init(&warnings);
    cg_settings_restarts(old, fresh, &warnings);
    log_mistakes(CG_LOG_WARNING, "reload", file, &warnings);
    cg_mistakes_fini(&warnings);
}

/* For the command line: mistakes go to stderr as they are. */
static struct cg_config *load_or_print(const char *file) {
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    struct cg_config *config = NULL;
    int err = cg_settings_load(file, &config, &mistakes);
    if (err == CG_E_NO_MEMORY) fprintf(stderr, "%s: no memory for these settings\n", file);
    if (err < 0) print_mistakes(file, &mistakes);
    cg_mistakes_fini(&mistakes);
    return err < 0 ? NULL : config;
}

static int check_mapping(const char *file, const char *name) {
    struct cg_config *config = load_or_print(file);
    if (config == NULL) return EXIT_SETTINGS;
    int status = cg_check_run(config, name);
    cg_config_unref(config);
    return status;
}

/* Ends the text. */
static int print_text(struct cg_buf *text) {
    bool written = !text->failed && fwrite(text->data, 1, text->len, stdout) == text->len && fflush(stdout) == 0;
    cg_buf_fini(text);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int check_settings(const char *file) {
    struct cg_config *config = load_or_print(file);
    if (config == NULL) return EXIT_SETTINGS;
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_print(&text, config);
    cg_config_unref(config);
    return print_text(&text);
}

static int print_schema(void) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_schema(&text);
    return print_text(&text);
}

/* Puts the new snapshot to use; on failure the old one stays. */
static int adopt(struct program *program, struct cg_config *fresh, struct cg_problem *problem) {
    struct cg_loop *loop = &program->loop;
    struct cg_config *old = cg_gateway_config(loop->gateway);
    if (cg_gateway_prepare(loop->gateway, fresh) < 0) return cg_problem_no_memory(problem);
    int err = cg_names_attach(program->names, fresh, problem);
    if (err < 0) return err;
    err = cg_protectors_attach(&program->protectors, fresh, problem);
    if (err == CG_OK) err = cg_protectors_open(&program->protectors, &loop->uv, loop->gateway, fresh, problem);
    if (err < 0) {
        CG_CHECK(cg_names_attach(program->names, old, problem) == CG_OK); /* its names are all there */
        return err;
    }
    log_restarts(program->file, old, fresh);
    log_warnings(program->file, fresh);
    cg_gateway_adopt(loop->gateway, fresh);
    cg_names_open(program->names, &loop->uv);
    return CG_OK;
}

/* Certificates are renewed by SIGHUP, with or without other settings. */
static void reload_tls(struct program *program) {
    struct cg_problem http = {0}, admin = {0};
    if (cg_front_http_reload(program->http, &http) < 0) {
        cg_log(CG_LOG_ERROR, "reload", "http: %s; the certificate in use stays", http.detail);
    }
    if (cg_admin_reload(program->admin, &admin) < 0) {
        cg_log(CG_LOG_ERROR, "reload", "admin: %s; the certificate in use stays", admin.detail);
    }
}

static void reload(struct program *program) {
    struct cg_mistakes mistakes;
    struct cg_problem problem = {0};
    cg_mistakes_init(&mistakes);
    struct cg_config *fresh = NULL;
    int err = cg_settings_load(program->file, &fresh, &mistakes);
    if (err == CG_E_NO_MEMORY) cg_problem_no_memory(&problem);
    if (err == CG_OK) err = adopt(program, fresh, &problem);
    if (err < 0) {
        log_mistakes(CG_LOG_ERROR, "reload", program->file, &mistakes);
        if (problem.err < 0) cg_log(CG_LOG_ERROR, "reload", "%s", problem.detail);
        cg_log(CG_LOG_ERROR, "reload", "the settings in use stay as they are");
    } else {
        reload_tls(program);
        cg_log(CG_LOG_INFO, "reload", "the settings are in use");
    }
    cg_config_unref(fresh);
    cg_mistakes_fini(&mistakes);
}

/* The end */

static void on_store_closed(void *ctx) {
    struct program *program = ctx;
    uv_close((uv_handle_t *)&program->deadline, NULL);
}

/* Every number that was given is durable, and what the disk still does cannot be stopped. */
static void on_deadline(uv_timer_t *timer) {
    (void)timer;
    cg_log(CG_LOG_WARNING, "stopping", "the store has not answered in time: it is left to the disk; no number is lost");
    cg_log_last_words("", 0);
    _exit(EXIT_SUCCESS);
}

static void close_all(struct program *program) {
    uv_close((uv_handle_t *)&program->ending, NULL);
    cg_front_http_close(program->http, NULL, NULL);
    cg_admin_close(program->admin, NULL, NULL);
    cg_protectors_close(&program->protectors, on_store_closed, program);
    cg_names_close(program->names);
    cg_loop_close(&program->loop);
}

static void on_ending(uv_timer_t *timer) {
    struct program *program = timer->data;
    uint64_t passed_us = cg_loop_now_us() - program->stopped_us;
    if (passed_us >= EARLY_FINISH_US && !program->finished_early) {
        program->finished_early = true;
        cg_gateway_finish_all(program->loop.gateway);
    }
    bool done = cg_gateway_running(program->loop.gateway) == 0 && cg_front_http_connections(program->http) == 0;
    if (done || passed_us >= END_PATIENCE_US) close_all(program);
}

static void stop(struct program *program) {
    if (program->stopped_us != 0) return;
    program->stopped_us = cg_loop_now_us();
    cg_log(CG_LOG_INFO, "stopping", "%zu exchanges are running", cg_gateway_running(program->loop.gateway));
    cg_gateway_stop(program->loop.gateway);
    cg_front_http_stop(program->http);
    CG_CHECK(uv_timer_start(&program->ending, on_ending, 0, END_POLL_MS) == 0);
    CG_CHECK(uv_timer_start(&program->deadline, on_deadline, END_MS, 0) == 0);
}

static void on_signal(void *ctx, int number) {
    struct program *program = ctx;
    if (number == SIGHUP) {
        if (program->stopped_us == 0) reload(program);
    } else {
        stop(program);
    }
}

/* The start */

static void log_listener(const char *front, const struct cg_listen *listen) {
    char text[CG_ADDR_TEXT_MAX];
    cg_addr_emit(&listen->addr, text);
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "listening");
    cg_log_str(&line, "front", front);
    cg_log_str(&line, "at", text);
    cg_log_end(&line);
}

static void log_listeners(const struct program *program, const struct cg_config *config) {
    for (size_t i = 0; i < config->http.listen_count; i++) log_listener("http", cg_front_http_listen(program->http, i));
    for (size_t i = 0; i < config->admin.listen_count; i++) log_listener("admin", cg_admin_listen(program->admin, i));
    struct cg_log_line line;
    cg_log_begin(&line, CG_LOG_INFO, "ready");
    cg_log_str(&line, "version", CASTGATE_VERSION);
    cg_log_u64(&line, "mappings", config->mapping_count);
    cg_log_end(&line);
}

static int is_ready(void *ctx, struct cg_problem *problem) {
    struct program *program = ctx;
    return cg_protectors_status(&program->protectors, problem);
}

static void put_metrics(void *ctx, struct cg_buf *to) {
    const struct program *program = ctx;
    cg_protectors_metrics(&program->protectors, to);
    cg_buf_printf(to,
                  "# HELP castgate_log_lines_lost_total Lines of the log that standard error did not take in time.\n"
                  "# TYPE castgate_log_lines_lost_total counter\ncastgate_log_lines_lost_total %llu\n",
                  (unsigned long long)cg_log_writer_lost(program->log));
}

static bool open_all(struct program *program, const struct cg_config *config, struct cg_problem *problem) {
    struct cg_loop *loop = &program->loop;
    CG_CHECK(uv_timer_init(&loop->uv, &program->ending) == 0);
    CG_CHECK(uv_timer_init(&loop->uv, &program->deadline) == 0);
    program->ending.data = program;
    cg_names_open(program->names, &loop->uv);
    if (cg_protectors_open(&program->protectors, &loop->uv, loop->gateway, config, problem) < 0) return false;
    program->http = cg_front_http_open(&loop->uv, loop->gateway, &program->plugins.encoders, problem);
    if (program->http == NULL) return false;
    const struct cg_admin_source source = {.ready = is_ready, .metrics = put_metrics, .ctx = program};
    program->admin = cg_admin_open(&loop->uv, loop->gateway, &source, problem);
    return program->admin != NULL;
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

/* One that is closed would be the number of the next file or socket, which would then get the log. */
static bool has_standard_files(void) {
    for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR)) {
        if (fd > STDERR_FILENO) return close(fd) == 0;
    }
    return false;
}

static int run(const char *file) {
    struct program program = {.file = file};
    struct cg_config *config = load_or_print(file);
    if (config == NULL) return EXIT_SETTINGS;
    program.log = cg_log_writer_open();
    if (program.log == NULL) {
        cg_log(CG_LOG_ERROR, "start", "no memory or no thread for the log");
        cg_config_unref(config);
        return EXIT_FAILURE;
    }
    log_warnings(file, config);
    raise_fd_limit();
    struct cg_problem problem = {0};
    int status = EXIT_FAILURE;
    cg_protectors_init(&program.protectors);
    program.names = cg_names_new(&(struct cg_names_options){0});
    if (program.names == NULL) {
        cg_problem_no_memory(&problem);
        cg_log(CG_LOG_ERROR, "start", "%s", problem.detail);
        goto out;
    }
    if (cg_plugins_load(&program.plugins, &builtin_encoders, config, &problem) < 0 ||
        cg_protectors_attach(&program.protectors, config, &problem) < 0 ||
        cg_names_attach(program.names, config, &problem) < 0 ||
        cg_loop_init(&program.loop, config, on_signal, &program, &problem) < 0) {
        cg_log(CG_LOG_ERROR, "start", "%s", problem.detail);
        goto out;
    }
    if (open_all(&program, config, &problem)) {
        log_listeners(&program, config);
        status = EXIT_SUCCESS;
    } else {
        cg_log(CG_LOG_ERROR, "start", "%s", problem.detail);
        close_all(&program);
    }
    cg_loop_run(&program.loop);
    cg_loop_fini(&program.loop);
out:
    cg_plugins_fini(&program.plugins);
    cg_protectors_fini(&program.protectors);
    cg_config_unref(config);
    cg_names_free(program.names);
    cg_log_writer_close(program.log);
    return status;
}

/* The store */

static int claim(struct cg_store_backend *backend, const struct cg_security_group *keys, struct cg_problem *problem) {
    struct cg_sender_id id;
    struct cg_store_failure failure;
    int err = cg_security_group_sender_id(keys, &keys->self, &id);
    if (err < 0) return cg_problem_no_memory(problem);
    err = backend->ops->claim(backend, &id, &failure);
    if (err < 0) *problem = failure.problem;
    return err;
}

/* What the file names, prepared keys as well. */
static int claim_all(const struct cg_config *config, struct cg_store_backend *backend, struct cg_problem *problem) {
    int err = CG_OK;
    for (size_t i = 0; err == CG_OK && i < config->security_group_count; i++) {
        const struct cg_security_keys *group = &config->security_groups[i];
        err = claim(backend, group->keys, problem);
        if (err == CG_OK && group->next_keys != NULL) err = claim(backend, group->next_keys, problem);
    }
    return err;
}

static int claim_new_keys(const struct cg_config *config, struct cg_problem *problem) {
    struct cg_store_backend *backend = cg_sqlite_new(config->state, NULL);
    if (backend == NULL) return cg_problem_no_memory(problem);
    int err = claim_all(config, backend, problem);
    backend->ops->free(backend);
    return err;
}

/* A store begins without any key: one that was used before, with a folder that is lost, would begin at 0 again. Only
 * somebody who knows can say that keys are new. */
static int init_state(const struct cg_config *config, bool new_keys, struct cg_problem *problem) {
    int err = cg_sqlite_init_state(config->state, problem);
    return err < 0 || !new_keys ? err : claim_new_keys(config, problem);
}

/* What to do next, for who has keys. */
static void tell_state_made(const struct cg_config *config, bool new_keys) {
    printf("%s: made\n", config->state);
    if (config->security_group_count == 0) return;
    if (new_keys)
        printf("the keys of %zu security group%s are claimed: never to have sent is what you said of them\n",
               config->security_group_count, config->security_group_count == 1 ? "" : "s");
    else
        puts("no key is claimed. Keys that have never sent, here or anywhere, are claimed by castgate-keys claim, or "
             "all at once\nby --init-state --new-keys instead of --init-state; others need a rekey or a new Sender ID");
}

static int make_state(const char *file, bool new_keys) {
    struct cg_config *config = load_or_print(file);
    if (config == NULL) return EXIT_SETTINGS;
    struct cg_problem problem = {0};
    int err = init_state(config, new_keys, &problem);
    if (err < 0)
        fprintf(stderr, "castgate: %s\n", problem.detail);
    else
        tell_state_made(config, new_keys);
    cg_config_unref(config);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int back_up(const char *file, const char *to) {
    struct cg_config *config = load_or_print(file);
    if (config == NULL) return EXIT_SETTINGS;
    struct cg_problem problem = {0};
    int err = cg_sqlite_backup(config->state, to, &problem);
    if (err < 0)
        fprintf(stderr, "castgate: %s\n", problem.detail);
    else
        printf("%s: made; its keys are marked spent, and send again after a rekey or with a new Sender ID\n", to);
    cg_config_unref(config);
    return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The command line */

static int usage(FILE *to, int status) {
    fputs("castgate: one unicast request becomes one CoAP multicast, its answers one reply\n"
          "\n"
          "  castgate [-c FILE]       run the gateway in the foreground (default " DEFAULT_SETTINGS ")\n"
          "  castgate [-c FILE] -T    check the settings and print them as they take effect\n"
          "  castgate [-c FILE] --check MAPPING   send one request of that mapping and tell all about it and its "
          "answers\n"
          "  castgate [-c FILE] --init-state      make the state folder's store; it claims nothing\n"
          "  castgate [-c FILE] --init-state --new-keys   and claim the keys that FILE names: you say that they have "
          "never\n"
          "                                       sent, here or anywhere; they begin at 0\n"
          "  castgate [-c FILE] --backup COPY     copy the store; the copy's senders are marked spent\n"
          "  castgate --schema        print the JSON Schema of the settings\n"
          "  castgate -V | -h         print the version | this text\n"
          "\n"
          "SIGHUP reloads the settings; SIGTERM ends after the running exchanges, within 5 seconds.\n",
          to);
    return status;
}

/* A core file, or what a debugger of the same user reads, would have the keys. */
static void hide_memory(void) {
    const struct rlimit none = {0};
    CG_CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
#ifndef CASTGATE_SANITIZED /* looking for leaks takes a tracer */
    CG_CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
#endif
}

/* libuv's pool makes and verifies signatures: a thread a core, unless somebody knows better. It reads this with its
 * first use. Without memory for the variable the pool has four threads. */
static void size_thread_pool(void) {
    char threads[24];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(threads, sizeof threads, "%ld", cores > 0 ? cores : 1);
    (void)setenv("UV_THREADPOOL_SIZE", threads, 0);
}

enum action { RUN, CHECK, SCHEMA, CHECK_MAPPING, INIT_STATE, INIT_NEW_KEYS, BACKUP };

static int act(enum action action, const char *file, const char *argument) {
    switch (action) {
    case RUN: return run(file);
    case CHECK: return check_settings(file);
    case SCHEMA: return print_schema();
    case CHECK_MAPPING: return check_mapping(file, argument);
    case INIT_STATE: return make_state(file, false);
    case INIT_NEW_KEYS: return make_state(file, true);
    case BACKUP: return back_up(file, argument);
    }
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *file = DEFAULT_SETTINGS, *argument = NULL;
    enum action action = RUN;
    bool new_keys = false;
    if (!has_standard_files()) return EXIT_FAILURE;
    hide_memory();
    size_thread_pool();
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'V'},
        {"check", required_argument, NULL, 'C'},  {"init-state", no_argument, NULL, 'i'},
        {"backup", required_argument, NULL, 'b'}, {"new-keys", no_argument, NULL, 'n'},
        {"schema", no_argument, NULL, 's'},       {0}};
    for (int option; (option = getopt_long(argc, argv, "c:TVh", options, NULL)) != -1;) {
        switch (option) {
        case 'c': file = optarg; break;
        case 'T': action = CHECK; break;
        case 's': action = SCHEMA; break;
        case 'C': action = CHECK_MAPPING, argument = optarg; break;
        case 'i': action = INIT_STATE; break;
        case 'n': new_keys = true; break;
        case 'b': action = BACKUP, argument = optarg; break;
        case 'V': puts("castgate " CASTGATE_VERSION); return EXIT_SUCCESS;
        case 'h': return usage(stdout, EXIT_SUCCESS);
        default: return usage(stderr, EXIT_SETTINGS);
        }
    }
    if (new_keys && action != INIT_STATE) fputs("castgate: --new-keys goes with --init-state only\n", stderr);
    if (optind != argc || (new_keys && action != INIT_STATE)) return usage(stderr, EXIT_SETTINGS);
    if (new_keys) action = INIT_NEW_KEYS;
    return act(action, file, argument);
}

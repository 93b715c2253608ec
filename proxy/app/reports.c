/* Reading on from the control socket. The hard thing: standard output may be a pipe whose reader has gone, or a file,
 * and each line is to be there as soon as it has come. */
#include "app/reports.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/serve.h"
#include "app/settings_file.h"
#include "store/beside.h"

enum {
    PATIENCE_S = 30,
    ANSWER_MAX = 1 << 20,
};

static int fails(const struct cg_problem *problem) {
    fprintf(stderr, "castgate: %s\n", problem->detail);
    return EXIT_FAILURE;
}

static bool write_all(const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t put = write(STDOUT_FILENO, bytes, len);
        if (put < 0 && errno != EINTR) return false;
        if (put > 0) bytes += put, len -= (size_t)put;
    }
    return true;
}

/* Until the gateway closes. */
static int copy_rest(int fd) {
    uint8_t bytes[16384];
    for (;;) {
        ssize_t got = read(fd, bytes, sizeof bytes);
        if (got == 0) return EXIT_SUCCESS;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 || !write_all(bytes, (size_t)got)) return EXIT_FAILURE;
    }
}

static char *request_text(const char *group, enum cg_reports_extent extent) {
    json_t *request = json_pack("{s:s, s:b}", "command", "reports", "follow", extent == CG_REPORTS_FOLLOWED);
    if (group != NULL && request != NULL && json_object_set_new(request, "group", json_string(group)) != 0) {
        json_decref(request);
        return NULL;
    }
    char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    json_decref(request);
    return text;
}

static int read_reports(const char *folder, const char *group, enum cg_reports_extent extent) {
    struct cg_problem problem = {0};
    char *text = request_text(group, extent);
    int fd = -1;
    int err = text == NULL ? cg_problem_set(&problem, CG_E_NO_MEMORY, "no memory, or the group's name is not UTF-8")
                           : cg_control_listen(folder, cg_slice_str(text), PATIENCE_S, &fd, &problem);
    free(text);
    if (err == CG_E_NOT_FOUND) cg_problem_set(&problem, err, "no gateway runs on the state folder %s", folder);
    if (err < 0) return fails(&problem);
    int status = copy_rest(fd);
    close(fd);
    return status;
}

int cg_reports_print(const char *file, const char *group, enum cg_reports_extent extent) {
    struct cg_config *config = cg_settings_load_or_print(file);
    int status = config == NULL ? CG_EXIT_SETTINGS : read_reports(config->state, group, extent);
    cg_config_unref(config);
    return status;
}

/* ---- Reactions ---- */

#define ROW "%-24s  %8s  %8s  %9s  %8s  %12s  %s\n"

static const char *count_of(const json_t *row, const char *key, char text[24]) {
    snprintf(text, 24, "%lld", (long long)json_integer_value(json_object_get(row, key)));
    return text;
}

static const char *text_of(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text == NULL ? "-" : text;
}

static const char *latest_of(const json_t *row, char text[160]) {
    const json_t *latest = json_object_get(row, "latest");
    if (latest == NULL) return "-";
    snprintf(text, 160, "%.64s: %.12s, %lld answered, %lld failed, %lld missing", text_of(latest, "mapping"),
             text_of(latest, "outcome"), (long long)json_integer_value(json_object_get(latest, "answered")),
             (long long)json_integer_value(json_object_get(latest, "failed")),
             (long long)json_integer_value(json_object_get(latest, "missing")));
    return text;
}

static void print_row(const json_t *row) {
    char alerts[24], answered[24], silent[24], refused[24], limited[24], latest[160];
    printf(ROW, text_of(row, "name"), count_of(row, "alerts", alerts), count_of(row, "answered", answered),
           count_of(row, "no-answer", silent), count_of(row, "refused", refused),
           count_of(row, "rate-limited", limited), latest_of(row, latest));
}

static int print_table(const struct cg_buf *reply) {
    json_t *answer = json_loadb((const char *)reply->data, reply->len, 0, NULL);
    const json_t *rows = json_object_get(answer, "reactions");
    printf(ROW, "reaction", "alerts", "answered", "no answer", "refused", "rate-limited", "latest command");
    for (size_t i = 0; i < json_array_size(rows); i++) print_row(json_array_get(rows, i));
    json_decref(answer);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int cg_reactions_print(const char *file) {
    const struct cg_control_patience patience = {.seconds = PATIENCE_S, .answer_max = ANSWER_MAX};
    struct cg_config *config = cg_settings_load_or_print(file);
    struct cg_problem problem = {0};
    struct cg_buf reply;
    if (config == NULL) return CG_EXIT_SETTINGS;
    cg_buf_init(&reply, 0);
    int err = cg_control_ask_patiently(config->state, cg_slice_str("{\"command\":\"reactions\"}"), &patience, &reply,
                                       &problem);
    if (err == CG_E_NOT_FOUND) cg_problem_set(&problem, err, "no gateway runs on the state folder %s", config->state);
    int status = err < 0 ? fails(&problem) : print_table(&reply);
    cg_buf_fini(&reply);
    cg_config_unref(config);
    return status;
}

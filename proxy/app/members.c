/* The table. What the gateway says is read as any other's words: a field that is not there is shown as none. */
#include "app/members.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/serve.h"
#include "app/settings_file.h"
#include "store/beside.h"

#define ROW "%-24s  %-14s  %-28s  %-20s  %-10s  %-10s  %-5s  %s\n"

enum {
    PATIENCE_S = 60,
    ANSWER_MAX = 128 << 20,
};

/* NULL: what there is to say has been said. */
static json_t *ask(const char *folder, const json_t *request) {
    const struct cg_control_patience patience = {.seconds = PATIENCE_S, .answer_max = ANSWER_MAX};
    struct cg_problem problem = {0};
    struct cg_buf reply;
    char *text = json_dumps(request, JSON_COMPACT);
    cg_buf_init(&reply, 0);
    int err = text == NULL ? cg_problem_no_memory(&problem)
                           : cg_control_ask_patiently(folder, cg_slice_str(text), &patience, &reply, &problem);
    if (err == CG_E_NOT_FOUND) cg_problem_set(&problem, err, "no gateway runs on the state folder %s", folder);
    json_t *answer = err == CG_OK ? json_loadb((const char *)reply.data, reply.len, 0, NULL) : NULL;
    if (err == CG_OK && answer == NULL) cg_problem_no_memory(&problem);
    if (answer == NULL) fprintf(stderr, "castgate: %s\n", problem.detail);
    cg_buf_fini(&reply);
    free(text);
    return answer;
}

/* The request is used up. */
static int act(const char *file, json_t *request, int (*show)(const json_t *answer)) {
    struct cg_config *config = cg_settings_load_or_print(file);
    json_t *answer = config == NULL ? NULL : ask(config->state, request);
    int status = config == NULL ? CG_EXIT_SETTINGS : answer == NULL ? EXIT_FAILURE : show(answer);
    json_decref(answer);
    json_decref(request);
    cg_config_unref(config);
    return status;
}

/* ---- The table ---- */

static const char *text_of(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text == NULL || text[0] == '\0' ? "-" : text;
}

/* The largest two units say enough. */
static const char *age_of(const json_t *row, char text[32]) {
    const long long s = json_integer_value(json_object_get(row, "age_s"));
    if (s < 120)
        snprintf(text, 32, "%lld s", s);
    else if (s < 7200)
        snprintf(text, 32, "%lld min", s / 60);
    else if (s < 172800)
        snprintf(text, 32, "%lld h", s / 3600);
    else
        snprintf(text, 32, "%lld days", s / 86400);
    return text;
}

static const char *median_of(const json_t *row, char text[32]) {
    const long long ms = json_integer_value(json_object_get(row, "median_ms"));
    snprintf(text, 32, "%lld ms", ms);
    return ms == 0 ? "-" : text;
}

static const char *loss_of(const json_t *row, char text[32]) {
    snprintf(text, 32, "%.0f %%", json_number_value(json_object_get(row, "loss")) * 100);
    return json_integer_value(json_object_get(row, "casts")) == 0 ? "-" : text;
}

/* How requests get to it, and whether it may want to see first that they are fresh. */
static const char *reach_of(const json_t *row) {
    bool is_cold = json_is_true(json_object_get(row, "cold")),
         by_unicast = json_is_true(json_object_get(row, "out_of_reach"));
    if (is_cold) return by_unicast ? "by unicast only, cold" : "by multicast, cold";
    if (by_unicast) return "by unicast only";
    return json_integer_value(json_object_get(row, "casts")) == 0 ? "-" : "by multicast";
}

static void print_row(const json_t *row) {
    char age[32], median[32], loss[32];
    const json_t *latest = json_array_get(json_object_get(row, "addresses"), 0);
    const char *member = json_object_get(row, "member") == NULL ? "(hidden)" : text_of(row, "member");
    printf(ROW, member, text_of(row, "kid"), latest == NULL ? "-" : json_string_value(latest), text_of(row, "mapping"),
           age_of(row, age), median_of(row, median), loss_of(row, loss), reach_of(row));
}

static int print_table(const json_t *answer) {
    const json_t *rows = json_object_get(answer, "members");
    printf(ROW, "member", "kid", "address", "mapping", "last seen", "answers in", "loss", "reached");
    for (size_t i = 0; i < json_array_size(rows); i++) print_row(json_array_get(rows, i));
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int cg_members_print(const char *file) { return act(file, json_pack("{s:s}", "command", "members"), print_table); }

/* ---- Forgetting ---- */

static int print_forgotten(const json_t *answer) {
    const long long count = json_integer_value(json_object_get(answer, "forgotten"));
    printf("forgotten: %lld entries\n", count);
    return EXIT_SUCCESS;
}

int cg_members_forget(const char *file, const char *name) {
    json_t *request = strcmp(name, "all") == 0 ? json_pack("{s:s, s:b}", "command", "forget-members", "all", 1)
                                               : json_pack("{s:s, s:s}", "command", "forget-members", "name", name);
    return act(file, request, print_forgotten);
}

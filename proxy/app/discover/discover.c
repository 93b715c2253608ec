/* The command: who looks, and what is shown of it. */
#include "app/discover/discover.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/discover/paste.h"
#include "app/discover/seeker.h"
#include "app/discover/table.h"
#include "base/log.h"

/* ---- Showing ---- */

/* jansson escapes all but DEL, which is no character of a text either. */
static int print_escaped(const char *text, size_t size, void *unused) {
    (void)unused;
    for (size_t i = 0; i < size; i++) {
        int result = text[i] == '\x7f' ? fputs("\\u007f", stdout) : putchar(text[i]);
        if (result == EOF) return -1;
    }
    return 0;
}

static void print_json(const json_t *document) {
    json_dump_callback(document, print_escaped, NULL, JSON_ENSURE_ASCII | JSON_INDENT(1));
    putchar('\n');
}

/* False: no memory. */
static bool print_text(const json_t *document, const struct cg_config *config) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_discover_table(&text, document);
    cg_discover_paste(&text, document, config);
    bool is_whole = !text.failed && text.len > 0;
    if (is_whole) fwrite(text.data + 1, 1, text.len - 1, stdout); /* the first line is empty */
    cg_buf_fini(&text);
    return is_whole;
}

static int show(const json_t *document, const struct cg_config *config, enum cg_discover_form form) {
    const json_t *summary = json_object_get(document, "summary");
    bool answered = json_integer_value(json_object_get(summary, "answered")) > 0;
    bool is_shown = form == CG_DISCOVER_AS_JSON || print_text(document, config);
    if (form == CG_DISCOVER_AS_JSON) print_json(document);
    if (!is_shown) fputs("castgate: no memory for what there is to show\n", stderr);
    return is_shown && fflush(stdout) == 0 && answered ? CG_DISCOVER_ANSWERED : CG_DISCOVER_SILENT;
}

/* ---- Looking ---- */

json_t *cg_discover_parse(struct cg_slice text, struct cg_problem *problem) {
    json_error_t error;
    json_t *document = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, &error);
    if (document == NULL) cg_problem_set(problem, CG_E_STORE, "what was found is not understood: %s", error.text);
    return document;
}

static json_t *look(struct cg_config *config, const struct cg_discover_words *words, struct cg_problem *problem) {
    json_t *document = cg_discover_beside(config->state, words, problem);
    if (document != NULL || problem->err != CG_E_NOT_FOUND) return document;
    *problem = (struct cg_problem){0};
    return cg_discover_alone(config, words, problem);
}

/* A word that names nothing is wrong use; a gateway that cannot is not. */
static int status_of(const struct cg_problem *problem) {
    bool is_misused = problem->err == CG_E_NOT_FOUND || problem->err == CG_E_BAD_URI;
    return is_misused ? CG_DISCOVER_SETTINGS : CG_DISCOVER_SILENT;
}

int cg_discover_run(struct cg_config *config, const struct cg_discover_words *words) {
    struct cg_problem problem = {0};
    cg_log_set_level((enum cg_log_level)(CG_LOG_ERROR + 1)); /* it is all told in words */
    if (words->form == CG_DISCOVER_FOR_PEOPLE)
        fprintf(stderr, "looking, for %u s at most; Ctrl-C shows what came so far\n", words->seconds);
    json_t *document = look(config, words, &problem);
    if (document == NULL) {
        fprintf(stderr, "castgate: %s\n", problem.detail);
        return status_of(&problem);
    }
    int status = show(document, config, words->form);
    json_decref(document);
    return status;
}

/* The hard thing: names, reasons and answers come from members and other editors, and a terminal obeys what it is sent.
 */
#include "tools/ctl/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* C0, DEL, and C1 in UTF-8 (0xc2 0x80 to 0x9f). */
static bool controls(const unsigned char *at) {
    return *at < ' ' || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f);
}

void cg_ctl_say(FILE *to, const char *text) {
    if (text == NULL) text = "";
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (!controls(at)) {
            (void)putc(*at, to);
            continue;
        }
        if (*at == 0xc2) at++;
        (void)putc('?', to);
    }
}

static void say_flags(FILE *to, const json_t *json, size_t flags) {
    char *text = json_dumps(json, flags | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    (void)fputs(text == NULL ? "?" : text, to);
    free(text);
}

void cg_ctl_say_json(FILE *to, const json_t *json) {
    say_flags(to, json, JSON_INDENT(2));
    (void)putc('\n', to);
}

void cg_ctl_say_body(FILE *to, const struct cg_ctl_reply *reply) {
    if (reply->json != NULL) {
        cg_ctl_say_json(to, reply->json);
    } else if (reply->body.len > 0) {
        (void)fwrite(reply->body.data, 1, reply->body.len, to);
    }
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static json_int_t number_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

/* ---- Differences ---- */

static void say_value(FILE *to, const json_t *value) {
    if (value == NULL) {
        (void)fputs("(not set)", to);
    } else {
        say_flags(to, value, JSON_COMPACT);
    }
}

static void say_key(FILE *to, const char *key, const json_t *before, const json_t *after) {
    if (before != NULL && after != NULL && json_equal(before, after)) return;
    (void)fputs("    ", to);
    cg_ctl_say(to, key);
    (void)fputs(": ", to);
    say_value(to, before);
    (void)fputs(" -> ", to);
    say_value(to, after);
    (void)putc('\n', to);
}

static void say_keys(FILE *to, const json_t *before, const json_t *after) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)before, key, value) say_key(to, key, value, json_object_get(after, key));
    json_object_foreach((json_t *)after, key, value) {
        if (json_object_get(before, key) == NULL) say_key(to, key, NULL, value);
    }
}

static void say_item(FILE *to, const json_t *entry) {
    const json_t *before = json_object_get(entry, "before"), *after = json_object_get(entry, "after");
    const char *sign = !json_is_object(before) ? "+ " : !json_is_object(after) ? "- " : "~ ";
    (void)fputs(sign, to);
    cg_ctl_say(to, text_of(entry, "kind"));
    (void)putc('/', to);
    cg_ctl_say(to, text_of(entry, "name"));
    (void)putc('\n', to);
    if (json_is_object(after)) say_keys(to, before, after);
}

void cg_ctl_say_difference(FILE *to, const json_t *difference) {
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)difference, i, entry) say_item(to, entry);
}

/* ---- Refusals ---- */

static void say_errors(FILE *to, const json_t *problem) {
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(problem, "errors"), i, entry) {
        (void)fputs("  ", to);
        cg_ctl_say(to, text_of(entry, "pointer"));
        (void)fputs(": ", to);
        cg_ctl_say(to, text_of(entry, "detail"));
        (void)putc('\n', to);
    }
    json_array_foreach(json_object_get(problem, "depends"), i, entry) {
        (void)fputs("  rests on it: ", to);
        say_flags(to, entry, JSON_COMPACT);
        (void)putc('\n', to);
    }
}

void cg_ctl_say_problem(FILE *to, const struct cg_ctl_reply *reply) {
    (void)fprintf(to, "castgatectl: the gateway said %ld", reply->status);
    const char *title = text_of(reply->json, "title"), *detail = text_of(reply->json, "detail");
    if (title[0] != '\0') (void)fputs(" ", to);
    cg_ctl_say(to, title);
    if (detail[0] != '\0') (void)fputs(": ", to);
    cg_ctl_say(to, detail);
    (void)putc('\n', to);
    say_errors(to, reply->json);
}

/* ---- Lines ---- */

void cg_ctl_say_revision(FILE *to, const json_t *revision) {
    const json_int_t undone_by = number_of(revision, "undone_by");
    (void)fprintf(to, "%6" JSON_INTEGER_FORMAT "  ", number_of(revision, "number"));
    cg_ctl_say(to, text_of(revision, "at"));
    (void)fputs("  ", to);
    cg_ctl_say(to, text_of(revision, "who"));
    (void)fputs("  ", to);
    cg_ctl_say(to, text_of(revision, "operation"));
    (void)fputs("  ", to);
    cg_ctl_say(to, text_of(revision, "target"));
    if (json_is_false(json_object_get(revision, "undoable"))) (void)fputs("  (for good)", to);
    if (undone_by != 0) (void)fprintf(to, "  (undone by %" JSON_INTEGER_FORMAT ")", undone_by);
    (void)putc('\n', to);
}

void cg_ctl_say_event(FILE *to, const char *event, const json_t *data) {
    cg_ctl_say(to, event);
    if (event[0] != '\0') (void)putc(' ', to);
    say_flags(to, data, JSON_COMPACT);
    (void)putc('\n', to);
    (void)fflush(to);
}

/* ---- Answers ---- */

static void say_answer(FILE *to, const json_t *answer) {
    const json_t *json = json_object_get(answer, "json");
    const char *name = text_of(answer, "member");
    (void)fputs("  ", to);
    cg_ctl_say(to, name[0] == '\0' ? text_of(answer, "from") : name);
    (void)fputs("  ", to);
    cg_ctl_say(to, text_of(answer, "code"));
    (void)fprintf(to, "  %" JSON_INTEGER_FORMAT " ms  %s  ", number_of(answer, "ms"),
                  strcmp(text_of(answer, "verified"), "source") == 0 ? "verified" : "not verified");
    if (json != NULL) say_flags(to, json, JSON_COMPACT);
    cg_ctl_say(to, text_of(answer, "body"));
    cg_ctl_say(to, text_of(answer, "body_base64"));
    (void)putc('\n', to);
}

static void say_missing(FILE *to, const json_t *missing) {
    const char *name = text_of(missing, "member");
    (void)fputs("  ", to);
    cg_ctl_say(to, name[0] == '\0' ? text_of(missing, "from") : name);
    (void)fputs("  is silent: ", to);
    cg_ctl_say(to, text_of(missing, "cause"));
    (void)putc('\n', to);
}

static void say_rejected(FILE *to, const json_t *rejected) {
    (void)fputs("  ", to);
    cg_ctl_say(to, text_of(rejected, "from"));
    (void)fputs("  rejected: ", to);
    cg_ctl_say(to, text_of(rejected, "reason"));
    (void)putc('\n', to);
}

void cg_ctl_say_answers(FILE *to, const json_t *reply) {
    size_t i;
    json_t *entry;
    const json_t *summary = json_object_get(reply, "summary");
    (void)fprintf(to,
                  "%" JSON_INTEGER_FORMAT " answered, %" JSON_INTEGER_FORMAT
                  " of them with an error, %" JSON_INTEGER_FORMAT " missing, in %" JSON_INTEGER_FORMAT " ms (exchange ",
                  number_of(summary, "answered"), number_of(summary, "failed"), number_of(summary, "missing"),
                  number_of(summary, "ms"));
    cg_ctl_say(to, text_of(reply, "exchange"));
    (void)fputs(")\n", to);
    json_array_foreach(json_object_get(reply, "answers"), i, entry) say_answer(to, entry);
    json_array_foreach(json_object_get(reply, "missing"), i, entry) say_missing(to, entry);
    json_array_foreach(json_object_get(reply, "rejected"), i, entry) say_rejected(to, entry);
}

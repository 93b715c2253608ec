/* The commands that are a request and its reply. */
#include "tools/ctl/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "tools/ctl/document.h"
#include "tools/ctl/words.h"

enum { RECONNECT_S = 2 };

/* ---- What they have in common ---- */

enum cg_ctl_status cg_ctl_complain(enum cg_ctl_status status, const char *sentence) {
    (void)fputs("castgatectl: ", stderr);
    cg_ctl_say(stderr, sentence);
    (void)putc('\n', stderr);
    return status;
}

enum cg_ctl_status cg_ctl_judge(const struct cg_ctl_reply *reply) {
    if (reply->status >= 200 && reply->status < 300) return CG_CTL_DONE;
    cg_ctl_say_problem(stderr, reply);
    return reply->status >= 500 ? CG_CTL_FAILED : CG_CTL_REFUSED;
}

enum cg_ctl_status cg_ctl_ask(struct cg_ctl_client *client, const struct cg_ctl_request *request,
                              struct cg_ctl_reply *reply) {
    char error[CG_CTL_ERROR_MAX];
    enum cg_ctl_status status = CG_CTL_DONE;
    if (cg_ctl_call(client, request, reply, error) < 0) {
        status = cg_ctl_complain(CG_CTL_FAILED, error);
    } else {
        status = cg_ctl_judge(reply);
    }
    if (status != CG_CTL_DONE) cg_ctl_reply_fini(reply);
    return status;
}

enum cg_ctl_status cg_ctl_ask_with(struct cg_ctl_client *client, const char *method, const char *path,
                                   const json_t *body, struct cg_ctl_reply *reply) {
    char *text = json_dumps(body, JSON_COMPACT);
    if (text == NULL) return cg_ctl_complain(CG_CTL_FAILED, "no memory");
    const struct cg_ctl_request request = {.method = method, .path = path, .body = cg_slice_str(text)};
    enum cg_ctl_status status = cg_ctl_ask(client, &request, reply);
    free(text);
    return status;
}

/* A request whose reply is all that there is to say. */
static enum cg_ctl_status show(struct cg_ctl_client *client, const struct cg_ctl_request *request) {
    struct cg_ctl_reply reply;
    enum cg_ctl_status status = cg_ctl_ask(client, request, &reply);
    if (status != CG_CTL_DONE) return status;
    cg_ctl_say_body(stdout, &reply);
    cg_ctl_reply_fini(&reply);
    return CG_CTL_DONE;
}

/* ---- export, call ---- */

/* The bytes as they came: the same for the same state. */
enum cg_ctl_status cg_ctl_export(const struct cg_ctl_options *options, struct cg_ctl_client *client) {
    (void)options;
    struct cg_ctl_reply reply;
    const struct cg_ctl_request request = {.method = "GET", .path = "export"};
    enum cg_ctl_status status = cg_ctl_ask(client, &request, &reply);
    if (status != CG_CTL_DONE) return status;
    (void)fwrite(reply.body.data, 1, reply.body.len, stdout);
    if (reply.body.len > 0 && reply.body.data[reply.body.len - 1] != '\n') (void)putchar('\n');
    cg_ctl_reply_fini(&reply);
    return CG_CTL_DONE;
}

enum cg_ctl_status cg_ctl_call_any(const struct cg_ctl_options *options, struct cg_ctl_client *client) {
    char error[CG_CTL_ERROR_MAX];
    struct cg_buf body = {0};
    struct cg_ctl_request request = {.method = options->words[0], .path = options->words[1]};
    if (options->file != NULL && cg_ctl_file_read(&body, options->file, error) < 0) {
        cg_buf_fini(&body);
        return cg_ctl_complain(CG_CTL_USAGE, error);
    }
    request.body = cg_buf_slice(&body);
    request.if_match = options->if_match;
    enum cg_ctl_status status = show(client, &request);
    cg_buf_fini(&body);
    return status;
}

/* ---- try ---- */

static json_t *make_try(const struct cg_ctl_options *options) {
    const char *word = options->words[0], *slash = strchr(word, '/');
    size_t len = slash == NULL ? strlen(word) : (size_t)(slash - word);
    json_t *body =
        json_pack("{s:s%, s:s}", "mapping", word, len, "method", options->method == NULL ? "GET" : options->method);
    if (slash != NULL) (void)json_object_set_new(body, "path", json_string(slash));
    if (options->body != NULL) (void)json_object_set_new(body, "body", json_string(options->body));
    if (options->content_type != NULL)
        (void)json_object_set_new(body, "content_type", json_string(options->content_type));
    if (options->client != NULL) (void)json_object_set_new(body, "client", json_string(options->client));
    return body;
}

enum cg_ctl_status cg_ctl_try(const struct cg_ctl_options *options, struct cg_ctl_client *client) {
    struct cg_ctl_reply reply;
    json_t *body = make_try(options);
    if (body == NULL) return cg_ctl_complain(CG_CTL_USAGE, "what is to be sent must be UTF-8");
    enum cg_ctl_status status =
        cg_ctl_ask_with(client, "POST", options->dry_run ? "try?dry_run=true" : "try", body, &reply);
    json_decref(body);
    if (status != CG_CTL_DONE) return status;
    const json_t *answers = json_object_get(reply.json, "answers");
    if (options->as_json || options->dry_run) {
        cg_ctl_say_body(stdout, &reply);
    } else {
        cg_ctl_say_answers(stdout, reply.json);
    }
    if (!options->dry_run && json_array_size(answers) == 0) status = CG_CTL_DIFFERS;
    cg_ctl_reply_fini(&reply);
    return status;
}

/* ---- tail ---- */

struct tail {
    bool as_json;
    char event[64], id[64];
};

static void keep_field(char *to, size_t size, struct cg_slice line, size_t name) {
    struct cg_slice value = cg_slice_of(line.data + name, line.len - name);
    (void)snprintf(to, size, "%.*s", (int)value.len, (const char *)value.data);
}

static void on_line(void *ctx, struct cg_slice line) {
    struct tail *tail = ctx;
    if (line.len > 0 && line.data[line.len - 1] == '\r') line.len--;
    if (line.len == 0) tail->event[0] = '\0';
    if (cg_slice_starts(line, "event: ")) keep_field(tail->event, sizeof tail->event, line, sizeof "event: " - 1);
    if (cg_slice_starts(line, "id: ")) keep_field(tail->id, sizeof tail->id, line, sizeof "id: " - 1);
    if (!cg_slice_starts(line, "data: ")) return;
    const char *data = (const char *)line.data + sizeof "data: " - 1;
    json_t *json = json_loadb(data, line.len - (sizeof "data: " - 1), JSON_DECODE_ANY, NULL);
    cg_ctl_say_event(stdout, tail->as_json ? "" : tail->event, json);
    json_decref(json);
}

/* Comes back by itself, as long as the gateway does not refuse. */
enum cg_ctl_status cg_ctl_tail(const struct cg_ctl_options *options, struct cg_ctl_client *client) {
    struct tail tail = {.as_json = options->as_json};
    for (;;) {
        char error[CG_CTL_ERROR_MAX];
        struct cg_ctl_reply reply;
        int err =
            cg_ctl_follow(client, "events?types=change,reload,report,warnings", tail.id, on_line, &tail, &reply, error);
        bool refused = err == CG_OK && reply.status != 200;
        enum cg_ctl_status status = refused ? cg_ctl_judge(&reply) : CG_CTL_DONE;
        cg_ctl_reply_fini(&reply);
        if (refused && status == CG_CTL_REFUSED) return status;
        if (err < 0) (void)cg_ctl_complain(CG_CTL_FAILED, error);
        if (ferror(stdout)) return CG_CTL_FAILED;
        sleep(RECONNECT_S);
    }
}

/* ---- history, undo ---- */

static void say_history(const json_t *page) {
    size_t i;
    json_t *revision;
    json_array_foreach(json_object_get(page, "items"), i, revision) cg_ctl_say_revision(stdout, revision);
}

static enum cg_ctl_status check_number(const char *word) {
    uint64_t number;
    if (cg_decimal_parse(cg_slice_str(word), INT64_MAX, &number) == CG_OK) return CG_CTL_DONE;
    return cg_ctl_complain(CG_CTL_USAGE, "a revision is a number (see castgatectl history)");
}

static enum cg_ctl_status say_one(const struct cg_ctl_options *options, struct cg_ctl_client *client,
                                  const char *number) {
    char path[64];
    struct cg_ctl_reply reply;
    (void)snprintf(path, sizeof path, "revisions/%s", number);
    const struct cg_ctl_request request = {.method = "GET", .path = path};
    enum cg_ctl_status status = cg_ctl_ask(client, &request, &reply);
    if (status != CG_CTL_DONE) return status;
    if (options->as_json) {
        cg_ctl_say_body(stdout, &reply);
    } else {
        cg_ctl_say_revision(stdout, reply.json);
        cg_ctl_say_difference(stdout, json_object_get(reply.json, "changes"));
    }
    cg_ctl_reply_fini(&reply);
    return CG_CTL_DONE;
}

enum cg_ctl_status cg_ctl_history(const struct cg_ctl_options *options, struct cg_ctl_client *client) {
    char path[64];
    struct cg_ctl_reply reply;
    if (options->word_count > 0 && check_number(options->words[0]) != CG_CTL_DONE) return CG_CTL_USAGE;
    if (options->word_count > 0) return say_one(options, client, options->words[0]);
    (void)snprintf(path, sizeof path, "revisions?limit=%u", (unsigned)options->count);
    const struct cg_ctl_request request = {.method = "GET", .path = path};
    enum cg_ctl_status status = cg_ctl_ask(client, &request, &reply);
    if (status != CG_CTL_DONE) return status;
    if (options->as_json) {
        cg_ctl_say_body(stdout, &reply);
    } else {
        say_history(reply.json);
    }
    cg_ctl_reply_fini(&reply);
    return CG_CTL_DONE;
}

/* The revision that an undo made says what it did. */
static enum cg_ctl_status say_undone(const struct cg_ctl_options *options, struct cg_ctl_client *client,
                                     const json_t *reply) {
    char number[32];
    const json_t *revision = json_object_get(reply, "revision");
    if (options->as_json) {
        cg_ctl_say_json(stdout, reply);
        return CG_CTL_DONE;
    }
    if (options->dry_run) {
        cg_ctl_say_difference(stdout, json_object_get(reply, "difference"));
        (void)puts("nothing was changed: --dry-run");
        return CG_CTL_DONE;
    }
    if (!json_is_integer(revision)) {
        (void)puts("nothing to change");
        return CG_CTL_DONE;
    }
    (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(revision));
    return say_one(options, client, number);
}

enum cg_ctl_status cg_ctl_undo(const struct cg_ctl_options *options, struct cg_ctl_client *client) {
    char path[96];
    struct cg_ctl_reply reply;
    if (check_number(options->words[0]) != CG_CTL_DONE) return CG_CTL_USAGE;
    (void)snprintf(path, sizeof path, "revisions/%s/undo?dry_run=%s%s", options->words[0],
                   options->dry_run ? "true" : "false", options->with_later ? "&with_later=true" : "");
    const struct cg_ctl_request request = {.method = "POST", .path = path};
    enum cg_ctl_status status = cg_ctl_ask(client, &request, &reply);
    if (status != CG_CTL_DONE) return status;
    status = say_undone(options, client, reply.json);
    cg_ctl_reply_fini(&reply);
    return status;
}

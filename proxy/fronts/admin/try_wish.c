/* The hard thing: whoever tries writes what a client would have sent, so that nothing but the way in differs: the path
 * becomes as clients' paths do, and the payload has the Content-Format that its media type stands for. */
#include "fronts/admin/try_wish.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/mapping.h"
#include "wire/content_format.h"

/* ---- The body ---- */

static int refuse(struct cg_problem *problem, const char *key, const char *what) {
    return cg_problem_set(problem, CG_E_INVALID, "\"%s\" %s", key, what);
}

/* A text; `fallback` (NULL: it is required) where there is none. */
static int take_text(const json_t *body, const char *key, const char *fallback, const char **text,
                     struct cg_problem *problem) {
    const json_t *value = json_object_get(body, key);
    const bool is_there = value != NULL && !json_is_null(value);
    *text = is_there ? json_string_value(value) : fallback;
    if (*text != NULL) return CG_OK;
    return refuse(problem, key, is_there ? "must be a string" : "is missing");
}

static int take_method(const json_t *body, struct cg_try_wish *wish, struct cg_problem *problem) {
    const char *name;
    int err = take_text(body, "method", "GET", &name, problem);
    if (err < 0) return err;
    wish->method = cg_method_code(name);
    return wish->method != 0 ? CG_OK : refuse(problem, "method", "must be one of CoAP's, as GET or iPATCH");
}

static void split_path(struct cg_try_wish *wish) {
    const char *mark = strchr(wish->path, '?');
    wish->path_len = mark == NULL ? strlen(wish->path) : (size_t)(mark - wish->path);
    wish->query = mark == NULL ? "" : mark + 1;
}

static int on_text(const char *text, size_t len, void *ctx) {
    struct cg_buf *to = ctx;
    cg_buf_put(to, text, len);
    return to->failed ? -1 : 0;
}

/* A string is its bytes, anything else is JSON. */
static int take_payload(const json_t *body, struct cg_try_wish *wish, struct cg_problem *problem) {
    const json_t *value = json_object_get(body, "body");
    if (value == NULL || json_is_null(value)) return CG_OK;
    if (json_is_string(value)) {
        cg_buf_put(&wish->payload, json_string_value(value), json_string_length(value));
        if (wish->content_type[0] == 0) wish->content_type = "text/plain;charset=utf-8";
    } else {
        json_dump_callback(value, on_text, &wish->payload, JSON_COMPACT | JSON_ENCODE_ANY);
        if (wish->content_type[0] == 0) wish->content_type = "application/json";
    }
    return wish->payload.failed ? cg_problem_no_memory(problem) : CG_OK;
}

static int take_timeout(const json_t *body, struct cg_try_wish *wish, struct cg_problem *problem) {
    const json_t *value = json_object_get(body, "timeout");
    if (value == NULL || json_is_null(value)) return CG_OK;
    const json_int_t seconds = json_integer_value(value);
    if (!json_is_integer(value) || seconds < 0 || seconds > UINT32_MAX)
        return refuse(problem, "timeout", "must be whole seconds");
    wish->has_timeout = true;
    wish->timeout_s = (uint32_t)seconds;
    return CG_OK;
}

static int check_keys(const json_t *body, struct cg_problem *problem) {
    static const char known[] = " mapping method path body content_type client timeout ";
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)body, key, value) {
        char padded[CG_NAME_MAX];
        snprintf(padded, sizeof padded, " %s ", key);
        if (strstr(known, padded) == NULL || strchr(key, ' ') != NULL)
            return cg_problem_set(problem, CG_E_INVALID, "the key \"%.60s\" means nothing here", key);
    }
    return CG_OK;
}

static int take_mapping(const json_t *body, struct cg_try_wish *wish, struct cg_problem *problem) {
    const json_t *value = json_object_get(body, "mapping");
    if (!json_is_object(value)) return take_text(body, "mapping", NULL, &wish->mapping, problem);
    wish->unsaved = value;
    return CG_OK;
}

int cg_try_read(struct cg_try_wish *wish, const json_t *body, struct cg_problem *problem) {
    int err = check_keys(body, problem);
    if (err == CG_OK) err = take_mapping(body, wish, problem);
    if (err == CG_OK) err = take_method(body, wish, problem);
    if (err == CG_OK) err = take_text(body, "path", "", &wish->path, problem);
    if (err == CG_OK) err = take_text(body, "content_type", "", &wish->content_type, problem);
    if (err == CG_OK) err = take_text(body, "client", "", &wish->client, problem);
    if (err == CG_OK) err = take_payload(body, wish, problem);
    if (err == CG_OK) err = take_timeout(body, wish, problem);
    if (err == CG_OK) split_path(wish);
    return err;
}

/* ---- The request ---- */

static bool keep(struct cg_slice *to, struct cg_arena *arena, struct cg_slice from) {
    *to = from.len == 0 ? CG_SLICE_NONE : cg_arena_copy(arena, from);
    return to->len == from.len;
}

/* The mapping's path and what is below it, as a client would have sent it. */
static int take_path(struct cg_request *request, struct cg_arena *arena, const struct cg_mapping *mapping,
                     const struct cg_try_wish *wish, struct cg_problem *problem) {
    struct cg_buf path;
    cg_buf_init(&path, 0);
    cg_buf_put_str(&path, mapping->path);
    const bool lacks_slash = wish->path_len > 0 && wish->path[0] != '/';
    if (lacks_slash) cg_buf_put_u8(&path, '/');
    int err = cg_mapping_normal_path(&path, cg_slice_of(wish->path, wish->path_len));
    if (path.len == 0) cg_buf_put_u8(&path, '/');
    if (err == CG_E_BAD_URI) refuse(problem, "path", "is no path of a URI");
    if (err == CG_OK && (path.failed || !keep(&request->path, arena, cg_buf_slice(&path)))) err = CG_E_NO_MEMORY;
    if (err == CG_E_NO_MEMORY) cg_problem_no_memory(problem);
    cg_buf_fini(&path);
    return problem->err;
}

/* With Content-Format, where there is a payload. */
static int take_content(struct cg_request *request, struct cg_arena *arena, const struct cg_try_wish *wish, size_t most,
                        struct cg_problem *problem) {
    uint16_t format;
    uint8_t value[4];
    const struct cg_slice payload = cg_buf_slice(&wish->payload);
    if (payload.len == 0) return CG_OK;
    if (payload.len > most) {
        problem->at_most = most;
        return cg_problem_set(problem, CG_E_TOO_BIG, "the body may have %zu bytes at most (limits.request_body)", most);
    }
    if (cg_format_from_media_type(cg_slice_str(wish->content_type), &format) < 0)
        return refuse(problem, "content_type", "has no Content-Format of CoAP");
    struct cg_opt *option = cg_arena_zalloc(arena, sizeof *option);
    if (option == NULL) return cg_problem_no_memory(problem);
    option->number = CG_OPT_CONTENT_FORMAT;
    bool kept = keep(&option->value, arena, cg_uint_emit(format, value)) && keep(&request->payload, arena, payload);
    request->options = (struct cg_opts){.list = option, .count = 1};
    return kept ? CG_OK : cg_problem_no_memory(problem);
}

/* As that client, "anonymous", or nobody's: then no grant is needed. */
static int take_client(struct cg_request *request, const struct cg_admin_call *call, const struct cg_config *config,
                       const struct cg_try_wish *wish, struct cg_problem *problem) {
    request->proof = call->who.role >= CG_ROLE_ADMIN ? CG_PROOF_ADMIN : CG_PROOF_TRIAL;
    if (wish->client[0] == 0) return CG_OK;
    request->proof = CG_PROOF_TRIAL;
    request->may_be_anonymous = strcmp(wish->client, "anonymous") == 0;
    if (request->may_be_anonymous) {
        request->proof = CG_PROOF_NONE;
        return CG_OK;
    }
    request->client = cg_config_client_by_name(config, wish->client);
    if (request->client == NULL) return refuse(problem, "client", "is the name of no client");
    return CG_OK;
}

int cg_try_fill(struct cg_request *request, struct cg_arena *arena, const struct cg_admin_call *call,
                const struct cg_config *config, const struct cg_try_wish *wish, struct cg_problem *problem) {
    const struct cg_mapping *mapping = cg_mapping_by_name(config, wish->mapping);
    if (mapping == NULL)
        return cg_problem_set(problem, CG_E_NOT_FOUND, "no mapping is called \"%.64s\"", wish->mapping);
    request->mapping = mapping->name;
    request->method = (uint8_t)wish->method;
    request->host = mapping->host == NULL ? CG_SLICE_NONE : cg_slice_str(mapping->host);
    request->peer = *cg_http_call_peer(call->http);
    request->from = request->peer;
    request->from.port = 0;
    request->has_timeout = wish->has_timeout;
    request->timeout_s = wish->timeout_s;
    int err = take_client(request, call, config, wish, problem);
    if (err == CG_OK) err = take_path(request, arena, mapping, wish, problem);
    if (err == CG_OK && !keep(&request->query, arena, cg_slice_str(wish->query))) err = cg_problem_no_memory(problem);
    return err == CG_OK ? take_content(request, arena, wish, config->limits.request_body, problem) : err;
}

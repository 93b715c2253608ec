/* HTTP by libcurl. The hard thing is where a token may get to: no redirection is followed, no proxy from the
 * environment is used on the way to loopback, and nothing is sent without TLS to anywhere else (place.h). */
#include "tools/ctl/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "tools/ctl/place.h"
#include "tools/ctl/token.h"

enum {
    REPLY_MAX = 256 << 20, /* bytes */
    LINE_MAX_BYTES = 1 << 20,
    CONNECT_S = 10,
};

struct cg_ctl_client {
    CURL *curl;
    struct cg_ctl_place place;
    struct cg_secret_text token;
    const struct cg_ctl_options *options;
};

/* ---- Opening ---- */

static void set_up(struct cg_ctl_client *client) {
    CURL *curl = client->curl;
    const struct cg_ctl_options *options = client->options;
    curl_easy_reset(curl);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "castgatectl/" CASTGATE_VERSION);
    if (client->place.on_loopback) (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (options->ca != NULL) (void)curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca);
    if (options->certificate != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, options->certificate);
        (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, options->key);
    }
    if (client->token.len == 0) return;
    (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    (void)curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, (const char *)client->token.data);
}

struct cg_ctl_client *cg_ctl_client_open(const struct cg_ctl_options *options, char error[CG_CTL_ERROR_MAX]) {
    struct cg_ctl_client *client = calloc(1, sizeof *client);
    (void)snprintf(error, CG_CTL_ERROR_MAX, "no memory");
    if (client == NULL) return NULL;
    client->options = options;
    if (cg_ctl_place_parse(&client->place, options->url, error) < 0 ||
        cg_ctl_token_read(&client->token, options, error) < 0 || (client->curl = curl_easy_init()) == NULL) {
        cg_ctl_client_close(client);
        return NULL;
    }
    return client;
}

void cg_ctl_client_close(struct cg_ctl_client *client) {
    if (client == NULL) return;
    curl_easy_cleanup(client->curl);
    cg_secret_free(&client->token);
    free(client);
}

/* ---- One request ---- */

struct headers {
    struct curl_slist *list;
    bool failed;
};

static void add_header(struct headers *headers, const char *name, const char *value) {
    char line[256];
    if (value == NULL || headers->failed) return;
    (void)snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *list = curl_slist_append(headers->list, line);
    headers->failed = list == NULL;
    if (list != NULL) headers->list = list;
}

static bool aim(struct cg_ctl_client *client, const char *path) {
    struct cg_buf url;
    cg_buf_init(&url, 0);
    cg_buf_printf(&url, "%s/admin/v1/%s", client->place.url, path[0] == '/' ? path + 1 : path);
    cg_buf_put_u8(&url, '\0');
    bool good = !url.failed && curl_easy_setopt(client->curl, CURLOPT_URL, (const char *)url.data) == CURLE_OK;
    cg_buf_fini(&url);
    return good;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx) {
    struct cg_ctl_reply *reply = ctx;
    cg_buf_put(&reply->body, data, size * count);
    return reply->body.failed ? 0 : size * count;
}

static int explain(const struct cg_ctl_client *client, CURLcode code, const char *detail, char *error) {
    const char *why = detail[0] != '\0' ? detail : curl_easy_strerror(code);
    const char *hint = code == CURLE_COULDNT_CONNECT ? ": is the gateway running, and is that its admin listener?" : "";
    (void)snprintf(error, CG_CTL_ERROR_MAX, "%.400s: %.400s%s", client->place.url, why, hint);
    return CG_E_BAD_REQUEST;
}

static void note_type(CURL *curl, struct cg_ctl_reply *reply) {
    const char *type = NULL;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
    (void)curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    (void)snprintf(reply->content_type, sizeof reply->content_type, "%s", type == NULL ? "" : type);
}

static void parse_body(struct cg_ctl_reply *reply) {
    if (strstr(reply->content_type, "json") == NULL || reply->body.len == 0) return;
    reply->json = json_loadb((const char *)reply->body.data, reply->body.len, JSON_REJECT_DUPLICATES, NULL);
}

/* What is set up goes out. */
static int perform(struct cg_ctl_client *client, struct headers *headers, struct cg_ctl_reply *reply, char *error) {
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OUT_OF_MEMORY;
    (void)curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, detail);
    (void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers->list);
    if (!headers->failed) code = curl_easy_perform(client->curl);
    note_type(client->curl, reply);
    curl_slist_free_all(headers->list);
    (void)curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
    return code == CURLE_OK ? CG_OK : explain(client, code, detail, error);
}

static void reply_init(struct cg_ctl_reply *reply) {
    *reply = (struct cg_ctl_reply){0};
    cg_buf_init(&reply->body, REPLY_MAX);
}

static void put_body(CURL *curl, struct cg_slice body) {
    if (body.data == NULL) return;
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)body.data);
}

int cg_ctl_call(struct cg_ctl_client *client, const struct cg_ctl_request *request, struct cg_ctl_reply *reply,
                char error[CG_CTL_ERROR_MAX]) {
    struct headers headers = {0};
    bool is_patch = strcmp(request->method, "PATCH") == 0;
    reply_init(reply);
    set_up(client);
    if (!aim(client, request->path)) return explain(client, CURLE_URL_MALFORMAT, "", error);
    put_body(client->curl, request->body);
    (void)curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, reply);
    add_header(&headers, "Accept", "application/json");
    add_header(&headers, "Content-Type",
               request->body.data == NULL ? NULL
               : is_patch                 ? "application/merge-patch+json"
                                          : "application/json");
    add_header(&headers, "If-Match", request->if_match);
    add_header(&headers, "Expect", "");
    int err = perform(client, &headers, reply, error);
    if (err == CG_OK) parse_body(reply);
    return err;
}

void cg_ctl_reply_fini(struct cg_ctl_reply *reply) {
    cg_buf_fini(&reply->body);
    json_decref(reply->json);
    reply->json = NULL;
}

/* ---- What does not end ---- */

struct following {
    struct cg_ctl_client *client;
    struct cg_ctl_reply *reply;
    cg_ctl_line_fn *line;
    void *ctx;
    struct cg_buf part; /* of a line */
};

static void cut_lines(struct following *following) {
    struct cg_buf *part = &following->part;
    size_t begin = 0;
    for (size_t i = 0; i < part->len; i++) {
        if (part->data[i] != '\n') continue;
        following->line(following->ctx, cg_slice_of(part->data + begin, i - begin));
        begin = i + 1;
    }
    memmove(part->data, part->data + begin, part->len - begin);
    part->len -= begin;
}

static size_t on_piece(char *data, size_t size, size_t count, void *ctx) {
    struct following *following = ctx;
    long status = 0;
    (void)curl_easy_getinfo(following->client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return on_body(data, size, count, following->reply);
    cg_buf_put(&following->part, data, size * count);
    if (following->part.failed) return 0;
    if (following->part.len > 0) cut_lines(following);
    return size * count;
}

int cg_ctl_follow(struct cg_ctl_client *client, const char *path, const char *last_event, cg_ctl_line_fn *line,
                  void *ctx, struct cg_ctl_reply *reply, char error[CG_CTL_ERROR_MAX]) {
    struct headers headers = {0};
    struct following following = {.client = client, .reply = reply, .line = line, .ctx = ctx};
    reply_init(reply);
    cg_buf_init(&following.part, LINE_MAX_BYTES);
    set_up(client);
    if (!aim(client, path)) return explain(client, CURLE_URL_MALFORMAT, "", error);
    (void)curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_piece);
    (void)curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &following);
    add_header(&headers, "Accept", "text/event-stream");
    add_header(&headers, "Last-Event-ID", last_event[0] == '\0' ? NULL : last_event);
    int err = perform(client, &headers, reply, error);
    if (err == CG_OK) parse_body(reply);
    cg_buf_fini(&following.part);
    return err;
}

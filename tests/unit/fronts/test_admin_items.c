/* Collections over HTTP: what is read, and how it is changed, with a real store and the settings' own validation. */
#include "fake_admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define FLOOR                                                                                                          \
    "{\"path\":\"/floor3\",\"group\":\"coap://224.0.1.188/\",\"security\":\"none\",\"timeout\":2,"                     \
    "\"clients\":[\"anonymous\"]}"

#define FLOOR_B "{\"group\":\"coap://224.0.1.189/\",\"security\":\"none\",\"timeout\":2}"

static void make_floor(struct fake_admin *f) {
    struct fake_response response = fake_admin_ask(f, "PUT", "/admin/v1/mappings/floor3", BOSS, FLOOR);
    if (response.status != 201) fail_msg("%d: %s", response.status, response.body);
    assert_string_equal(fake_response_field(&response, "Location"), "/admin/v1/mappings/floor3");
    assert_string_equal(fake_response_field(&response, "ETag"), "\"1\"");
    fake_response_fini(&response);
}

static json_t *get(struct fake_admin *f, const char *target) {
    struct fake_response response = fake_admin_ask(f, "GET", target, BOSS, NULL);
    if (response.status != 200) fail_msg("%s: %d: %s", target, response.status, response.body);
    json_t *json = json_loads(response.body, JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL) fail_msg("no JSON: %s", response.body);
    fake_response_fini(&response);
    return json;
}

static const char *text_of(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

static void test_make_and_read(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    json_t *item = get(f, "/admin/v1/mappings/floor3");
    assert_string_equal(text_of(item, "name"), "floor3");
    assert_string_equal(text_of(item, "path"), "/floor3");
    assert_string_equal(text_of(item, "source"), "stored");
    assert_string_equal(text_of(item, "state"), "in-use");
    assert_true(json_is_null(json_object_get(item, "reason")));
    assert_int_equal(json_integer_value(json_object_get(item, "revision")), 1);
    assert_string_equal(text_of(item, "changed"), "2023-11-14T22:13:20.000Z");
    assert_string_equal(text_of(item, "changed_by"), "boss");
    assert_null(json_object_get(item, "max_timeout")); /* only what was set is stored */
    assert_int_equal(json_integer_value(json_object_get(json_object_get(item, "effective"), "max_timeout")), 60);
    json_decref(item);
    fake_admin_expect(f, "GET", "/admin/v1/mappings/floor3", BOSS "If-None-Match: \"1\"\r\n", NULL, 304, NULL);
    fake_admin_expect(f, "GET", "/admin/v1/mappings/floor3", BOSS "If-None-Match: \"2\"\r\n", NULL, 200, NULL);
    fake_admin_expect(f, "GET", "/admin/v1/mappings/floor4", BOSS, NULL, 404, "problem:not-found");
    fake_admin_expect(f, "GET", "/admin/v1/mappings/Floor3", BOSS, NULL, 400, "problem:bad-uri");
}

static void test_post(void **state) {
    struct fake_admin *f = *state;
    static const char body[] =
        "{\"name\":\"new\",\"group\":\"coap://224.0.1.188/\",\"security\":\"none\",\"timeout\":2}";
    struct fake_response response = fake_admin_ask(f, "POST", "/admin/v1/mappings", BOSS, body);
    assert_int_equal(response.status, 201);
    assert_string_equal(fake_response_field(&response, "Location"), "/admin/v1/mappings/new");
    fake_response_fini(&response);
    fake_admin_expect(f, "POST", "/admin/v1/mappings", BOSS, body, 409, "problem:conflict");
    fake_admin_expect(f, "POST", "/admin/v1/mappings", BOSS, "{}", 400, "\"pointer\":\"#/name\"");
    fake_admin_expect(f, "POST", "/admin/v1/mappings", BOSS, "{\"name\":\"Not a name\"}", 400, "\"#/name\"");
}

/* Two editors: the second hears that there was a first. */
static void test_conditions(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    const char *path = "/admin/v1/mappings/floor3", *patch = "{\"timeout\":3}";
    fake_admin_expect(f, "PATCH", path, BOSS, patch, 428, "problem:needs-if-match");
    fake_admin_expect(f, "PUT", path, BOSS, FLOOR, 428, "problem:needs-if-match");
    fake_admin_expect(f, "DELETE", path, BOSS, NULL, 428, "problem:needs-if-match");
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: \"1\"\r\n", patch, 200, "\"timeout\":3");
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: \"1\"\r\n", patch, 412, "problem:stale");
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: W/\"2\"\r\n", patch, 412, "problem:stale");
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: 2\r\n", patch, 400, "problem:bad-request");
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: \"x\", \"2\"\r\n", "{\"timeout\":null}", 200, "\"revision\":3");
    fake_admin_expect(f, "PUT", path, BOSS "If-None-Match: *\r\n", FLOOR, 412, "problem:stale");
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/gone", BOSS "If-Match: *\r\n", FLOOR, 412, "problem:stale");
    fake_admin_expect(f, "DELETE", path, BOSS "If-Match: *\r\n", NULL, 204, NULL);
    fake_admin_expect(f, "DELETE", path, BOSS "If-Match: *\r\n", NULL, 404, "problem:not-found");
}

/* What was read can be sent back, whatever was shown beside what was set. */
static void test_sent_back(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    json_t *item = get(f, "/admin/v1/mappings/floor3");
    char *text = json_dumps(item, 0);
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/floor3", BOSS "If-Match: \"1\"\r\n", text, 200, "\"revision\":1");
    free(text);
    json_object_set_new(item, "name", json_string("other"));
    text = json_dumps(item, 0);
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/floor3", BOSS "If-Match: \"1\"\r\n", text, 400, "#/name");
    free(text);
    json_decref(item);
}

static void test_mistakes(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    const char *path = "/admin/v1/mappings/floor3";
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: *\r\n", "{\"timeout\":\"long\"}", 400, "problem:invalid");
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: *\r\n", "{\"timeout\":\"long\"}", 400,
                      "\"errors\":[{\"pointer\":\"#/timeout\",\"detail\":");
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: *\r\n", "{\"path\":\"/lamps\"}", 409, "problem:conflict");
    fake_admin_expect(f, "GET", path, BOSS, NULL, 200, "\"revision\":1");
}

static void test_bodies(void **state) {
    struct fake_admin *f = *state;
    static const char *const malformed[] = {"",
                                            "{",
                                            "[]",
                                            "nonsense",
                                            "{\"path\":\"/a\",\"path\":\"/b\"}",
                                            "{\"path\":\"\\u0000\"}",
                                            "{\"timeout\":1e999}",
                                            "{\"timeout\":99999999999999999999}",
                                            "{\"path\":\"\xff\"}"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        fake_admin_expect(f, "PUT", "/admin/v1/mappings/x", BOSS, malformed[i], 400, "problem:malformed");
    char deep[201];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[200] = '\0';
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/x", BOSS, deep, 400, "nested");
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/x", BOSS "Content-Type: text/plain\r\n", FLOOR, 415,
                      "problem:unsupported-media-type");
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/x", BOSS "Content-Type: application/merge-patch+json\r\n", FLOOR,
                      415, NULL);
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/x", BOSS "Content-Type: Application/JSON; charset=utf-8\r\n", FLOOR,
                      201, NULL);
}

/* Parsed by the worker. */
static void test_large_body(void **state) {
    struct fake_admin *f = *state;
    size_t len = 200000;
    char *body = malloc(len + 200);
    assert_non_null(body);
    int begin = sprintf(body, "{\"group\":\"coap://224.0.1.188/\",\"security\":\"none\",\"path\":\"/");
    memset(body + begin, 'a', len);
    strcpy(body + begin + len, "\"}");
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/x", BOSS, body, 400, "\"pointer\":\"#/path\"");
    memset(body, ' ', len);
    for (size_t i = 1; i < len; i += 2) body[i] = ',';
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/x", BOSS, body, 413, "values");
    free(body);
}

static void test_too_large(void **state) {
    struct fake_admin *f = *state;
    struct fake_client client;
    fake_admin_connect(f, &client);
    fake_client_send_text(&client, "PUT /admin/v1/mappings/x HTTP/1.1\r\nHost: localhost\r\n" BOSS
                                   "Content-Type: application/json\r\nContent-Length: 100000000\r\n\r\n{");
    struct fake_response response = fake_client_response(&client, false, NULL);
    assert_int_equal(response.status, 413);
    assert_non_null(strstr(response.body, "1048576 bytes"));
    fake_response_fini(&response);
    fake_client_close(&client);
}

/* The file's come, too, as they count, and are nobody's to change. */
static void test_of_file(void **state) {
    struct fake_admin *f = *state;
    json_t *item = get(f, "/admin/v1/mappings/lamps");
    assert_string_equal(text_of(item, "name"), "lamps");
    assert_string_equal(text_of(item, "source"), "file");
    assert_string_equal(text_of(item, "security"), "none");
    assert_true(json_is_null(json_object_get(item, "revision")));
    json_decref(item);
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/lamps", BOSS, FLOOR, 409, "settings file");
    fake_admin_expect(f, "PATCH", "/admin/v1/mappings/lamps", BOSS, "{}", 409, "settings file");
    fake_admin_expect(f, "DELETE", "/admin/v1/mappings/lamps", BOSS, NULL, 409, "settings file");
    fake_admin_expect(f, "POST", "/admin/v1/mappings", BOSS, "{\"name\":\"lamps\"}", 409, "settings file");
    item = get(f, "/admin/v1/clients");
    assert_int_equal(json_array_size(json_object_get(item, "items")), 2);
    json_decref(item);
}

/* All pages together have each item once, in order, whoever defines it. */
static void test_pages(void **state) {
    struct fake_admin *f = *state;
    char target[200] = "/admin/v1/mappings?limit=2", names[200] = "";
    static const char *const made[] = {"m", "a", "z"};
    for (size_t i = 0; i < 3; i++) {
        char path[64], body[200];
        snprintf(path, sizeof path, "/admin/v1/mappings/%s", made[i]);
        snprintf(body, sizeof body, "{\"group\":\"coap://224.0.1.188/\",\"security\":\"none\",\"timeout\":2}");
        fake_admin_expect(f, "PUT", path, BOSS, body, 201, NULL);
    }
    for (;;) {
        json_t *page = get(f, target);
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(page, "items"), i, item) {
            strcat(names, text_of(item, "name"));
            strcat(names, " ");
        }
        bool more = json_is_string(json_object_get(page, "next"));
        snprintf(target, sizeof target, "/admin/v1/mappings?limit=2&cursor=%s", text_of(page, "next"));
        json_decref(page);
        if (!more) break;
        strcat(names, "| ");
    }
    assert_string_equal(names, "a lamps | m z ");
    fake_admin_expect(f, "GET", "/admin/v1/mappings?limit=0", BOSS, NULL, 400, "limit");
    fake_admin_expect(f, "GET", "/admin/v1/mappings?limit=1001", BOSS, NULL, 400, "limit");
    fake_admin_expect(f, "GET", "/admin/v1/mappings?cursor=xx", BOSS, NULL, 400, "cursor");
}

static void test_dry_run(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    const char *path = "/admin/v1/mappings/floor3?dry_run=true";
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: *\r\n", "{\"timeout\":9}", 200, "\"difference\":[{\"kind\":");
    fake_admin_expect(f, "DELETE", path, BOSS "If-Match: *\r\n", NULL, 200, "\"after\":null");
    fake_admin_expect(f, "PATCH", path, BOSS "If-Match: *\r\n", "{\"timeout\":9}", 200,
                      "\"sends\":[{\"mapping\":\"floor3\",\"method\":\"GET\",\"datagrams\":1,");
    fake_admin_expect(f, "DELETE", path, BOSS "If-Match: *\r\n", NULL, 200, "\"sends\":[]");
    fake_admin_expect(f, "POST", "/admin/v1/changes?dry_run=true", BOSS,
                      "{\"changes\":[{\"method\":\"PUT\",\"path\":\"mappings/b\",\"body\":" FLOOR_B "},"
                      "{\"method\":\"PATCH\",\"path\":\"mappings/floor3\",\"if_match\":\"*\",\"body\":{}}]}",
                      200, "}]},{\"mapping\":\"floor3\",\"method\":\"GET\",\"datagrams\":1,");
    fake_admin_expect(f, "GET", "/admin/v1/mappings/floor3", BOSS, NULL, 200, "\"revision\":1");
    fake_admin_expect(f, "DELETE", "/admin/v1/mappings/floor3?dry_run=yes", BOSS, NULL, 400, "dry_run");
}

/* As it would be in use, and nothing of it stays. */
static void test_try_what_is_not_saved(void **state) {
    struct fake_admin *f = *state;
    const char *path = "/admin/v1/try?dry_run=true";
    make_floor(f);
    fake_admin_expect(f, "POST", path, BOSS, "{\"mapping\":" FLOOR_B "}", 200, "{\"sends\":{\"datagrams\":1,");
    fake_admin_expect(f, "POST", path, BOSS,
                      "{\"mapping\":{\"name\":\"floor3\",\"group\":\"coap://224.0.1.190/\",\"security\":\"none\","
                      "\"enabled\":false,\"timeout\":2,\"revision\":1}}",
                      200, "\"to\":\"224.0.1.190:5683\"");
    fake_admin_expect(f, "POST", path, BOSS,
                      "{\"mapping\":{\"group\":\"coap://224.0.1.190/\",\"security\":\"none\",\"timeout\":\"x\"}}", 400,
                      "\"errors\":[{\"pointer\":\"#/mapping/timeout\",");
    fake_admin_expect(f, "POST", "/admin/v1/try", BOSS,
                      "{\"mapping\":{\"path\":\"/floor3\",\"group\":\"coap://224.0.1.190/\",\"security\":\"none\"}}",
                      400, "\"errors\":[{\"pointer\":\"#/mapping/path\",");
    fake_admin_expect(f, "POST", path, BOSS, "{\"mapping\":{\"name\":\"A b\"}}", 400, "#/mapping/name");
    fake_admin_expect(f, "POST", path, BOSS, "{\"mapping\":{\"name\":\"lamps\"}}", 409, "settings file");
    fake_admin_expect(f, "POST", path, BOSS, "{\"mapping\":" FLOOR_B ",\"client\":\"looker\"}", 403, NULL);
    fake_admin_expect(f, "GET", "/admin/v1/mappings/unsaved", BOSS, NULL, 404, NULL);
    fake_admin_expect(f, "GET", "/admin/v1/mappings/floor3", BOSS, NULL, 200, "\"revision\":1");
    fake_admin_expect(f, "GET", "/admin/v1/audit?limit=1", BOSS, NULL, 200,
                      "\"operation\":\"try\",\"target\":\"mappings/unsaved\",\"result\":\"refused\"");
}

static void test_roles(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "GET", "/admin/v1/mappings", LOOKER, NULL, 200, "lamps");
    fake_admin_expect(f, "PUT", "/admin/v1/mappings/floor3", LOOKER, FLOOR, 403, "needs the role");
    fake_admin_expect(f, "GET", "/admin/v1/mappings", "", NULL, 401, NULL);
}

static void test_batch(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
#define NEW "{\"group\":\"coap://224.0.1.188/\",\"security\":\"none\",\"timeout\":2}"
    fake_admin_expect(f, "POST", "/admin/v1/changes", BOSS,
                      "{\"changes\":[{\"method\":\"PUT\",\"path\":\"mappings/a\",\"body\":" NEW "},"
                      "{\"method\":\"DELETE\",\"path\":\"mappings/floor3\",\"if_match\":\"\\\"1\\\"\"}]}",
                      200, "{\"revision\":2}");
    fake_admin_expect(f, "GET", "/admin/v1/mappings/floor3", BOSS, NULL, 404, NULL);
    fake_admin_expect(f, "GET", "/admin/v1/mappings/a", BOSS, NULL, 200, "\"revision\":2");
    /* all or nothing */
    fake_admin_expect(
        f, "POST", "/admin/v1/changes", BOSS,
        "{\"changes\":[{\"method\":\"PUT\",\"path\":\"mappings/b\",\"body\":" NEW "},"
        "{\"method\":\"PUT\",\"path\":\"mappings/c\",\"body\":{\"group\":\"coap://224.0.1.9\",\"security\":\"none\","
        "\"timeout\":true}}]}",
        400, "\"pointer\":\"#/changes/1/body/timeout\"");
    fake_admin_expect(f, "POST", "/admin/v1/changes", BOSS,
                      "{\"changes\":[{\"method\":\"PUT\",\"path\":\"mappings/b\",\"body\":" NEW "},"
                      "{\"method\":\"DELETE\",\"path\":\"mappings/a\",\"if_match\":\"\\\"1\\\"\"}]}",
                      412, "\"pointer\":\"#/changes/1\"");
    fake_admin_expect(f, "GET", "/admin/v1/mappings/b", BOSS, NULL, 404, NULL);
    fake_admin_expect(f, "POST", "/admin/v1/changes", BOSS, "{\"changes\":[]}", 400, "#/changes");
    fake_admin_expect(f, "POST", "/admin/v1/changes", BOSS, "{\"changes\":[1,{\"method\":\"GET\"}]}", 400,
                      "#/changes/1/method");
    fake_admin_expect(f, "POST", "/admin/v1/changes", BOSS,
                      "{\"changes\":[{\"method\":\"DELETE\",\"path\":\"tokens/a\"}]}", 400, "#/changes/0/path");
}

static void test_settings(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "GET", "/admin/v1/settings", BOSS, NULL, 200, "{\"stored\":{},");
    fake_admin_expect(f, "PATCH", "/admin/v1/settings", BOSS "If-Match: *\r\n", "{\"limits\":{\"exchanges\":7}}", 200,
                      "{\"stored\":{\"limits\":{\"exchanges\":7}},");
    json_t *json = get(f, "/admin/v1/settings");
    const json_t *effective = json_object_get(json, "effective");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(effective, "limits"), "exchanges")), 7);
    assert_null(json_object_get(effective, "mappings"));
    json_decref(json);
    fake_admin_expect(f, "PATCH", "/admin/v1/settings", BOSS, "{\"limits\":{\"exchanges\":\"many\"}}", 400,
                      "\"pointer\":\"#/limits/exchanges\"");
    fake_admin_expect(f, "PATCH", "/admin/v1/settings", BOSS "If-Match: \"9\"\r\n", "{}", 412, NULL);
    fake_admin_expect(f, "PATCH", "/admin/v1/settings", BOSS, "{\"limits\":null}", 200, "{\"stored\":{},");
}

static void test_settings_of_the_file(void **state) {
    struct fake_admin *f = *state;
    fake_admin_expect(f, "PATCH", "/admin/v1/settings", BOSS, "{\"group\":{\"interface\":null,\"hops\":4}}", 200, NULL);
    fake_admin_expect(f, "PATCH", "/admin/v1/settings", BOSS, "{\"group\":{\"interface\":\"eth0\"}}", 409,
                      "/group/interface is set by");
    json_t *json = get(f, "/admin/v1/settings");
    const json_t *sources = json_object_get(json, "sources");
    assert_string_equal(json_string_value(json_object_get(sources, "/group/interface")), "file");
    assert_string_equal(json_string_value(json_object_get(sources, "/group/hops")), "stored");
    assert_null(json_object_get(sources, "/limits/observers"));
    json_decref(json);
}

static void test_history(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    fake_admin_expect(f, "PATCH", "/admin/v1/mappings/floor3", BOSS "If-Match: \"1\"\r\n", "{\"timeout\":3}", 200,
                      NULL);
    json_t *page = get(f, "/admin/v1/revisions?limit=1");
    const json_t *latest = json_array_get(json_object_get(page, "items"), 0);
    assert_int_equal(json_integer_value(json_object_get(latest, "number")), 2);
    assert_string_equal(text_of(latest, "who"), "boss");
    assert_string_equal(text_of(latest, "operation"), "mappings.patch");
    assert_string_equal(text_of(latest, "target"), "mappings/floor3");
    assert_true(json_is_true(json_object_get(latest, "undoable")));
    assert_string_equal(text_of(page, "next"), "2");
    json_decref(page);
    page = get(f, "/admin/v1/revisions?limit=1&cursor=2");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(page, "items"), 0), "number")),
                     1);
    assert_true(json_is_null(json_object_get(page, "next")));
    json_decref(page);
    fake_admin_expect(f, "GET", "/admin/v1/revisions/2", BOSS, NULL, 200, "\"changes\":[{\"kind\":\"mappings\"");
    fake_admin_expect(f, "GET", "/admin/v1/revisions/9", BOSS, NULL, 404, "problem:not-found");
    fake_admin_expect(f, "GET", "/admin/v1/revisions/0", BOSS, NULL, 400, NULL);
}

static void test_audit(void **state) {
    struct fake_admin *f = *state;
    make_floor(f);
    fake_admin_expect(f, "DELETE", "/admin/v1/mappings/floor3", BOSS, NULL, 428, NULL);
    fake_admin_expect(f, "DELETE", "/admin/v1/mappings/floor3", LOOKER, NULL, 403, NULL);
    json_t *page = get(f, "/admin/v1/audit");
    const json_t *items = json_object_get(page, "items"), *latest = json_array_get(items, 0);
    assert_int_equal(json_array_size(items), 3);
    assert_string_equal(text_of(latest, "who"), "looker");
    assert_string_equal(text_of(latest, "operation"), "mappings.delete");
    assert_string_equal(text_of(latest, "result"), "refused");
    assert_string_equal(text_of(json_array_get(items, 1), "result"), "refused");
    assert_string_equal(text_of(json_array_get(items, 2), "result"), "done");
    assert_string_equal(text_of(json_array_get(items, 2), "from"), "127.0.0.1");
    json_decref(page);
    fake_admin_expect(f, "GET", "/admin/v1/audit", LOOKER, NULL, 403, NULL);
}

/* The change goes its way without its client. */
static void test_client_leaves(void **state) {
    struct fake_admin *f = *state;
    struct fake_client client;
    char head[300];
    fake_admin_connect(f, &client);
    snprintf(head, sizeof head,
             "PUT /admin/v1/mappings/floor3 HTTP/1.1\r\nHost: localhost\r\n" BOSS
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             strlen(FLOOR));
    fake_client_send_text(&client, head);
    fake_client_send_text(&client, FLOOR);
    fake_client_close(&client);
    for (int i = 0; i < 5000 && cg_manage_count(f->manage, CG_ITEM_MAPPING) == 0; i++) fake_client_settle(&f->uv);
    assert_int_equal(cg_manage_count(f->manage, CG_ITEM_MAPPING), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {admin_test(test_make_and_read),
                                       admin_test(test_post),
                                       admin_test(test_conditions),
                                       admin_test(test_sent_back),
                                       admin_test(test_mistakes),
                                       admin_test(test_bodies),
                                       admin_test(test_large_body),
                                       admin_test(test_too_large),
                                       admin_test(test_of_file),
                                       admin_test(test_pages),
                                       admin_test(test_dry_run),
                                       admin_test(test_roles),
                                       admin_test(test_batch),
                                       admin_test(test_settings),
                                       admin_test(test_settings_of_the_file),
                                       admin_test(test_history),
                                       admin_test(test_audit),
                                       admin_test(test_client_leaves),
                                       admin_test(test_try_what_is_not_saved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

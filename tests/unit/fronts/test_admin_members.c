/* Members by their own names: what is configured of them is changed in the mappings that expect them, as one revision.
 */
#include "fake_admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "exchange/gateway.h"
#include "io/loop.h"
#include "legs/protector.h"
#include "model/known.h"
#include "model/mapping.h"

#define LAMP "/admin/v1/members/lamp-1"
#define ANY  BOSS "If-Match: *\r\n"

static void make_mapping(struct fake_admin *f, const char *name, const char *members) {
    char path[64], body[512];
    snprintf(path, sizeof path, "/admin/v1/mappings/%s", name);
    snprintf(body, sizeof body,
             "{\"group\":\"coap://224.0.1.188/%s\",\"security\":\"none\",\"timeout\":2,\"members\":%s}", name, members);
    fake_admin_expect(f, "PUT", path, BOSS, body, 201, NULL);
}

static void make_two(struct fake_admin *f) {
    make_mapping(f, "east", "[{\"name\":\"lamp-1\",\"address\":\"192.0.2.1\",\"multicast\":false},\"192.0.2.9\"]");
    make_mapping(f, "west", "[\"192.0.2.8\"]");
}

static char *etag(struct fake_admin *f, const char *path) {
    struct fake_response response = fake_admin_ask(f, "GET", path, BOSS, NULL);
    assert_int_equal(response.status, 200);
    const char *tag = fake_response_field(&response, "ETag");
    char *copy = tag == NULL ? NULL : strdup(tag);
    fake_response_fini(&response);
    return copy;
}

static void expect_members(struct fake_admin *f, const char *mapping, const char *members) {
    char path[64];
    snprintf(path, sizeof path, "/admin/v1/mappings/%s", mapping);
    struct fake_response response = fake_admin_ask(f, "GET", path, BOSS, NULL);
    json_t *json = json_loads(response.body, 0, NULL);
    char *text = json_dumps(json_object_get(json, "members"), JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, members);
    free(text);
    json_decref(json);
    fake_response_fini(&response);
}

static void one_is_shown_with_where_it_belongs(void **state) {
    struct fake_admin *f = *state;
    make_two(f);
    fake_admin_expect(f, "GET", LAMP, LOOKER, NULL, 200,
                      "{\"name\":\"lamp-1\",\"configured\":true,\"address\":\"192.0.2.1:5683\",\"last_seen\":null,"
                      "\"security_groups\":[],\"mappings\":[\"east\"],\"warmth\":{},\"heard\":[]}");
    fake_admin_expect(f, "GET", "/admin/v1/members/lamp-2", BOSS, NULL, 404, "problem:not-found");
    char *tag = etag(f, LAMP), field[128];
    assert_non_null(tag);
    snprintf(field, sizeof field, BOSS "If-None-Match: %s\r\n", tag);
    fake_admin_expect(f, "GET", LAMP, field, NULL, 304, NULL);
    free(tag);
}

static void it_comes_goes_and_moves_as_one_revision(void **state) {
    struct fake_admin *f = *state;
    make_two(f);
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"mappings\":[\"east\",\"west\"],\"address\":\"192.0.2.2:61616\"}", 200,
                      "\"mappings\":[\"east\",\"west\"]");
    expect_members(f, "east",
                   "[{\"address\":\"192.0.2.2:61616\",\"multicast\":false,\"name\":\"lamp-1\"},\"192.0.2.9\"]");
    expect_members(f, "west", "[\"192.0.2.8\",{\"address\":\"192.0.2.2:61616\",\"name\":\"lamp-1\"}]");
    fake_admin_expect(f, "GET", "/admin/v1/revisions?limit=1", BOSS, NULL, 200, "\"number\":3,");
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"name\":\"lamp-7\"}", 200, "{\"name\":\"lamp-7\"");
    fake_admin_expect(f, "GET", LAMP, BOSS, NULL, 404, NULL);
    fake_admin_expect(f, "PUT", "/admin/v1/members/lamp-7", ANY, "{\"mappings\":[\"west\"]}", 200, NULL);
    expect_members(f, "east", "[\"192.0.2.9\"]");
    fake_admin_expect(f, "PUT", "/admin/v1/members/lamp-7", ANY, "{\"mappings\":[]}", 200,
                      "\"configured\":false,\"address\":null");
    expect_members(f, "west", "[\"192.0.2.8\"]");
    fake_admin_expect(f, "POST", "/admin/v1/revisions/3/undo?with_later=true", BOSS, NULL, 200, NULL);
    expect_members(f, "west", "[\"192.0.2.8\"]");
    expect_members(f, "east", "[{\"address\":\"192.0.2.1\",\"multicast\":false,\"name\":\"lamp-1\"},\"192.0.2.9\"]");
}

static void one_that_is_nowhere_is_made(void **state) {
    struct fake_admin *f = *state;
    make_two(f);
    struct fake_response response =
        fake_admin_ask(f, "PUT", "/admin/v1/members/new", BOSS, "{\"address\":\"192.0.2.3\",\"mappings\":[\"west\"]}");
    assert_int_equal(response.status, 201);
    assert_string_equal(fake_response_field(&response, "Location"), "/admin/v1/members/new");
    fake_response_fini(&response);
    expect_members(f, "west", "[\"192.0.2.8\",{\"address\":\"192.0.2.3:5683\",\"name\":\"new\"}]");
    response = fake_admin_ask(f, "PUT", "/admin/v1/members/%5B2001:db8::1%5D:5683", BOSS, "{\"mappings\":[\"west\"]}");
    assert_int_equal(response.status, 201);
    assert_string_equal(fake_response_field(&response, "Location"), "/admin/v1/members/%5B2001:db8::1%5D:5683");
    fake_response_fini(&response);
    expect_members(f, "west",
                   "[\"192.0.2.8\",{\"address\":\"192.0.2.3:5683\",\"name\":\"new\"},\"[2001:db8::1]:5683\"]");
    fake_admin_expect(f, "PATCH", "/admin/v1/members/192.0.2.8:5683", ANY, "{\"address\":\"192.0.2.7\"}", 200,
                      "{\"name\":\"192.0.2.7:5683\"");
}

static void two_editors_lose_nothing(void **state) {
    struct fake_admin *f = *state;
    char field[128];
    make_two(f);
    char *tag = etag(f, LAMP);
    snprintf(field, sizeof field, BOSS "If-Match: %s\r\n", tag);
    fake_admin_expect(f, "PATCH", LAMP, BOSS, "{\"mappings\":[]}", 428, "problem:needs-if-match");
    fake_admin_expect(f, "PATCH", "/admin/v1/mappings/east", ANY, "{\"timeout\":3}", 200, NULL); /* nothing of it */
    fake_admin_expect(f, "PATCH", LAMP, field, "{\"mappings\":[\"west\"]}", 200, NULL);
    fake_admin_expect(f, "PATCH", LAMP, field, "{\"mappings\":[\"east\"]}", 412, "problem:stale");
    fake_admin_expect(f, "PUT", LAMP, BOSS "If-None-Match: *\r\n", "{\"mappings\":[\"east\"]}", 412, NULL);
    fake_admin_expect(f, "PATCH", "/admin/v1/members/lamp-2", ANY, "{\"mappings\":[\"east\"]}", 404, NULL);
    free(tag);
}

static void mistakes_stand_where_they_are(void **state) {
    struct fake_admin *f = *state;
    make_two(f);
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"mappings\":[\"east\",\"north\"]}", 400,
                      "\"pointer\":\"#/mappings/1\"");
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"mappings\":[\"east\",\"east\"]}", 400, "twice");
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"address\":\"nowhere\"}", 400, "\"pointer\":\"#/address\"");
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"address\":\"224.0.1.1\"}", 400, "\"pointer\":\"#/address\"");
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"address\":\"192.0.2.9\"}", 400, "the same address");
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"speed\":1}", 400, "can be set");
    fake_admin_expect(f, "PUT", LAMP, ANY, "{\"name\":\"other\",\"mappings\":[]}", 400, "\"pointer\":\"#/name\"");
    fake_admin_expect(f, "PUT", LAMP, ANY, "{}", 400, "\"pointer\":\"#/mappings\"");
    fake_admin_expect(f, "PUT", "/admin/v1/members/new", BOSS, "{\"mappings\":[\"east\"]}", 400, "#/address");
    fake_admin_expect(f, "PUT", "/admin/v1/members/new", BOSS, "{\"mappings\":[\"lamps\"],\"address\":\"192.0.2.3\"}",
                      409, "/mappings/0/members");
    fake_admin_expect(f, "PATCH", LAMP, LOOKER, "{}", 403, NULL);
}

static void what_was_read_can_be_sent_back(void **state) {
    struct fake_admin *f = *state;
    make_two(f);
    struct fake_response response = fake_admin_ask(f, "GET", LAMP, BOSS, NULL);
    fake_admin_expect(f, "PUT", LAMP, ANY, response.body, 200, NULL);
    fake_response_fini(&response);
    fake_admin_expect(f, "GET", "/admin/v1/revisions?limit=1", BOSS, NULL, 200, "\"number\":2,");
    fake_admin_expect(f, "PATCH", LAMP "?dry_run=true", ANY, "{\"mappings\":[\"west\"]}", 200, "\"difference\":[{");
    expect_members(f, "west", "[\"192.0.2.8\"]");
}

/* ---- How it answers, and whether it is met ---- */

static enum cg_standing standing_in_use;
static bool cold_in_use;

static enum cg_standing standing(struct cg_protector *protector, struct cg_slice identity) {
    (void)protector, (void)identity;
    return standing_in_use;
}

static bool is_cold(struct cg_protector *protector, struct cg_slice identity) {
    (void)protector, (void)identity;
    return cold_in_use;
}

static const struct cg_protector_ops keyed_ops = {.name = "keyed", .standing = standing, .is_cold = is_cold};

static struct cg_mapping *mapping_of(struct fake_admin *f, const char *name) {
    return cg_config_mapping(f->config, cg_mapping_by_name(f->config, name)->number);
}

static void expect_warmth(struct fake_admin *f, const char *part) {
    fake_admin_expect(f, "GET", LAMP, LOOKER, NULL, 200, part);
    fake_admin_expect(f, "GET", "/admin/v1/members", LOOKER, NULL, 200, part);
}

static void it_is_cold_or_warm_by_mapping_that_protects(void **state) {
    struct fake_admin *f = *state;
    struct cg_protector keyed = {.ops = &keyed_ops};
    make_two(f);
    struct cg_mapping *east = mapping_of(f, "east");
    struct cg_protector *plain = east->protector;
    east->protector = &keyed;
    standing_in_use = CG_STANDING_MEMBER;
    cold_in_use = true;
    expect_warmth(f, "\"warmth\":{\"east\":\"cold\"}");
    cold_in_use = false;
    expect_warmth(f, "\"warmth\":{\"east\":\"warm\"}");
    standing_in_use = CG_STANDING_NONE;
    expect_warmth(f, "\"mappings\":[\"east\"],\"warmth\":{}");
    standing_in_use = CG_STANDING_PROVEN;
    east->anonymise = true;
    expect_warmth(f, "\"mappings\":[\"east\"],\"warmth\":{}");
    east->protector = plain;
}

static void hear(struct fake_admin *f, uint64_t request, uint64_t after_us) {
    struct cg_known_answer answer = {
        .mapping = mapping_of(f, "east"), .via = CASTGATE_VIA_MULTICAST, .request = request, .after_us = after_us};
    assert_int_equal(cg_addr_parse(&answer.from, cg_slice_str("192.0.2.1"), 5683), CG_OK);
    cg_known_note(cg_gateway_knowns(f->gateway), &answer, cg_loop_now_us());
}

/* Times are kept in steps of half an octave: it is said how long the step goes on. */
static void its_slow_answers_are_seen_beside_the_usual_ones(void **state) {
    struct fake_admin *f = *state;
    make_two(f);
    for (uint64_t i = 1; i <= 100; i++) hear(f, i, i % 10 == 0 ? 900000 : 10000);
    expect_warmth(f, "\"median_ms\":11,\"p99_ms\":1024,\"loss\":0.000,\"requests\":100,\"out_of_reach\":false}]");
}

static void warmth_and_what_was_heard_can_be_sent_back(void **state) {
    struct fake_admin *f = *state;
    make_two(f);
    hear(f, 1, 1000);
    fake_admin_expect(f, "PATCH", LAMP, ANY, "{\"warmth\":{\"east\":\"cold\"},\"heard\":[]}", 200,
                      "\"warmth\":{},\"heard\":[{");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        admin_test(one_is_shown_with_where_it_belongs),
        admin_test(it_comes_goes_and_moves_as_one_revision),
        admin_test(one_that_is_nowhere_is_made),
        admin_test(two_editors_lose_nothing),
        admin_test(mistakes_stand_where_they_are),
        admin_test(what_was_read_can_be_sent_back),
        admin_test(it_is_cold_or_warm_by_mapping_that_protects),
        admin_test(its_slow_answers_are_seen_beside_the_usual_ones),
        admin_test(warmth_and_what_was_heard_can_be_sent_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

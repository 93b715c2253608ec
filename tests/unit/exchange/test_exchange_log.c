/* The one line that each exchange leaves in the log, read back from standard error. */
#include "exchange/fake_world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *caught;
static int real_stderr;

static void catch_stderr(void) {
    caught = tmpfile();
    assert_non_null(caught);
    real_stderr = dup(STDERR_FILENO);
    assert_true(real_stderr >= 0);
    assert_true(dup2(fileno(caught), STDERR_FILENO) >= 0);
}

/* What was written since. */
static const char *release_stderr(void) {
    static char text[4096];
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    close(real_stderr);
    rewind(caught);
    text[fread(text, 1, sizeof text - 1, caught)] = '\0';
    fclose(caught);
    return text;
}

/* One line, whose end, behind the exchange's random name, is `text`. */
static void expect_line(const char *line, const char *text) {
    const char *id = strstr(line, "event=exchange id=");
    if (id == NULL || strlen(id) < 34) fail_msg("no exchange in %s", line);
    assert_string_equal(id + 34, text);
}

static void test_a_line_has_what_became_of_each_request(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_client client = {.name = "house"};
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 7);
    lamps->max_answers = 3;
    lamps->grants[0].client = &client;
    struct cg_request *request = world_new(world, &call, "/lamps");
    request->client = &client;
    request->method = CG_FETCH;
    request->traceparent = cg_slice_str("00-1-2-01");
    catch_stderr();
    world_go(world, &call);
    world_answer(world, 0, "127.1.0.1", "on");
    world_answer(world, 0, "127.1.0.1", "off");
    world_answer_as(world, 0, "127.1.0.2", (struct answer){.type = CG_NON, .code = CG_CODE(4, 4)});
    world_answer(world, 0, "127.1.0.3", "on");
    world_answer(world, 0, "127.1.0.4", "on");
    world_advance(world, 2 * SECOND);
    expect_line(
        release_stderr(),
        " mapping=lamps client=house method=FETCH path=/lamps status=200 answered=3 failed=1 missing=4 "
        "duplicates=1 rejected=1 missing_members=other,other,other,other causes=unknown:4 ended_by=limit ms=2000 "
        "traceparent=00-1-2-01\n");
}

static void expect_part(const char *line, const char *part) {
    if (strstr(line, part) == NULL) fail_msg("no %s in %s", part, line);
}

static void test_a_line_says_from_where_and_to_where(void **state) {
    struct world *world = *state;
    struct call call;
    char path[400] = "/nowhere/";
    memset(path + strlen(path), 'x', 300);
    struct cg_request *request = world_new(world, &call, path);
    request->query = cg_slice_str("a=\"b\"");
    assert_int_equal(cg_addr_parse(&request->peer, cg_slice_str("192.0.2.7:4711"), 0), CG_OK);
    catch_stderr();
    world_go(world, &call);
    const char *line = release_stderr();
    expect_part(line, " peer=192.0.2.7:4711 method=GET path=/nowhere/xxx");
    expect_part(line, "xxx... status=404");
    assert_null(strstr(line, "forwarded_for"));
    request = world_new(world, &call, "/nowhere");
    assert_int_equal(cg_addr_parse(&request->peer, cg_slice_str("192.0.2.7:4711"), 0), CG_OK);
    assert_int_equal(cg_addr_parse_ip(&request->from, cg_slice_str("2001:db8::17")), CG_OK);
    catch_stderr();
    world_go(world, &call);
    expect_part(release_stderr(), " peer=192.0.2.7:4711 forwarded_for=2001:db8::17 method=GET");
    request = world_new(world, &call, "/nowhere");
    request->query = cg_slice_str("a=\"b\" c=d\nlevel=error");
    catch_stderr();
    world_go(world, &call);
    expect_part(release_stderr(), " path=\"/nowhere?a=\\\"b\\\" c=d\\x0alevel=error\" status=404");
}

static void test_the_first_missing_are_named(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 12);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    catch_stderr();
    world_advance(world, 2 * SECOND);
    const char *line = release_stderr();
    expect_part(line, " missing=11 ");
    expect_part(line, ",+3 causes=unknown:11 ended_by=deadline");
    assert_null(strstr(line, "127.1.0.1,"));
}

static void test_hidden_members_are_not_named(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->anonymise = true;
    world_get(world, &call, "/lamps");
    catch_stderr();
    world_advance(world, 2 * SECOND);
    const char *line = release_stderr();
    expect_part(line, " missing=2 ");
    expect_part(line, " causes=unknown:2 ");
    assert_null(strstr(line, "missing_members"));
}

static const char *log_of(struct world *world, const char *path) {
    static struct call call;
    catch_stderr();
    world_get(world, &call, path);
    world_advance(world, 3 * SECOND);
    return release_stderr();
}

/* Asked for by name, answered or not, however the marker is written, and where there is none of that name. */
static void test_a_hidden_member_that_is_named_is_not(void **state) {
    struct world *world = *state;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->stand_in = CG_STAND_IN_MEMBERS;
    lamps->anonymise = true;
    static const char *const paths[] = {"/lamps/.member/first/x?y", "/lamps/%2emember/first", "/lamps/.member/firstly",
                                        "/nowhere/.member/first"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *line = log_of(world, paths[i]);
        expect_part(line, "member/... ");
        assert_null(strstr(line, "first"));
        assert_null(strstr(line, "127.1.0.1"));
    }
    lamps->anonymise = false;
    expect_part(log_of(world, "/lamps/.member/first/x?y"), " member=first ");
    expect_part(log_of(world, "/lamps/.member/first/x?y"), " path=/lamps/.member/first/x?y ");
}

static void test_a_refusal_has_its_reason(void **state) {
    struct world *world = *state;
    struct call call;
    assert_non_null(world_new(world, &call, "/nowhere"));
    catch_stderr();
    world_go(world, &call);
    const char *line = release_stderr();
    expect_line(line, strstr(line, " client="));
    assert_non_null(strstr(
        line, " client=\"\" method=GET path=/nowhere status=404 error=not-found detail=\"no mapping has this path;"));
    assert_non_null(strstr(line, "\" ms=0\n"));
    assert_null(strstr(line, "answered="));
}

static void test_a_client_that_leaves_has_a_line_without_status(void **state) {
    struct world *world = *state;
    struct call call, unborn;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.1", "on");
    world_advance(world, SECOND);
    cg_gateway_abandon(world->gateway, call.ticket);
    catch_stderr();
    world_run(world);
    expect_line(release_stderr(),
                " mapping=lamps client=\"\" method=GET path=/lamps answered=1 failed=0 missing=0 duplicates=0 "
                "rejected=0 ended_by=client ms=1000\n");
    assert_non_null(world_new(world, &unborn, "/lamps")); /* it has not even asked for anything */
    cg_gateway_abandon(world->gateway, unborn.ticket);
    catch_stderr();
    world_run(world);
    assert_string_equal(release_stderr(), "");
    assert_int_equal(cg_gateway_running(world->gateway), 0);
}

static void test_each_method_has_its_name(void **state) {
    struct world *world = *state;
    static const char *const names[] = {"?", "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH", "?"};
    struct call call;
    for (uint8_t method = 0; method < sizeof names / sizeof *names; method++) {
        char text[32];
        world_new(world, &call, "/nowhere")->method = method;
        catch_stderr();
        world_go(world, &call);
        snprintf(text, sizeof text, " method=%s path=/nowhere status=", names[method]);
        const char *line = release_stderr();
        if (strstr(line, text) == NULL) fail_msg("no %s in %s", text, line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_line_has_what_became_of_each_request),
        world_test(test_a_line_says_from_where_and_to_where),
        world_test(test_the_first_missing_are_named),
        world_test(test_hidden_members_are_not_named),
        world_test(test_a_hidden_member_that_is_named_is_not),
        world_test(test_a_refusal_has_its_reason),
        world_test(test_a_client_that_leaves_has_a_line_without_status),
        world_test(test_each_method_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

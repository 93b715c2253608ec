/* Reports: handed on in their order, at once or by windows (R16), none lost where many come at once (R17), and bounded
 * memory whoever reads. */
#include "jobs/reports.h"

#include <stdio.h>
#include <string.h>

#include "base/container.h"
#include "exchange/fake_world.h"

struct scene {
    struct world world;
    struct cg_reports *reports;
    uint64_t number;
};

/* One that takes all. */
struct listener {
    struct cg_reports_reader reader;
    struct cg_reports *leaves; /* with the first that it hears; NULL: stays */
    uint64_t count, last_index, last_number;
    uint64_t last_us;
    const struct world *world;
};

static void on_report(struct cg_reports_reader *reader, const struct cg_handed *handed) {
    struct listener *listener = CG_CONTAINER(reader, struct listener, reader);
    assert_int_equal(handed->index, listener->last_index == 0 ? handed->index : listener->last_index + 1);
    assert_true(handed->alert.number > listener->last_number);
    listener->count++;
    listener->last_index = handed->index;
    listener->last_number = handed->alert.number;
    listener->last_us = listener->world->now_us;
    if (listener->leaves != NULL) cg_reports_leave(listener->leaves, reader);
}

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    if (scene == NULL) return -1;
    world_init(&scene->world);
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    cg_reports_free(scene->reports);
    world_fini(&scene->world);
    free(scene);
    return 0;
}

#define scene_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void start(struct scene *scene, uint32_t window) {
    scene->world.config->alerts.window = window;
    world_start(&scene->world);
    world_run(&scene->world);
    scene->reports = cg_reports_new(scene->world.gateway);
    assert_non_null(scene->reports);
}

static void follow(struct scene *scene, struct listener *listener) {
    *listener = (struct listener){.reader.hear = on_report, .world = &scene->world};
    cg_reports_follow(scene->reports, &listener->reader);
}

/* Whatever it was told with is gone afterwards. */
static void report(struct scene *scene, const char *member, const char *payload) {
    struct cg_alert_hearer *hearer = cg_reports_hearer(scene->reports);
    char *own_member = strdup(member), *own_payload = strdup(payload), path[] = "/meter";
    assert_true(own_member != NULL && own_payload != NULL);
    const struct cg_alert alert = {.group = "meters",
                                   .member = own_member,
                                   .kid = cg_slice_str("\x07"),
                                   .method = CG_POST,
                                   .path = cg_slice_str(path),
                                   .query = cg_slice_str("unit=C"),
                                   .payload = cg_slice_str(own_payload),
                                   .number = ++scene->number,
                                   .arrival_us = scene->world.now_us};
    hearer->hear(hearer, &alert);
    memset(own_member, 'x', strlen(own_member));
    free(own_member);
    free(own_payload);
}

static void assert_counts(const struct scene *scene, const char *wanted) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_reports_metrics(scene->reports, &text);
    cg_buf_put_u8(&text, 0);
    if (strstr((const char *)text.data, wanted) == NULL) fail_msg("%s is not in\n%s", wanted, (const char *)text.data);
    cg_buf_fini(&text);
}

static void each_is_handed_on_at_once(void **state) {
    struct scene *scene = *state;
    struct listener listener;
    start(scene, 0);
    follow(scene, &listener);
    report(scene, "meter-1", "17");
    assert_int_equal(listener.count, 1);
    report(scene, "meter-2", "");
    assert_int_equal(listener.count, 2);
    const struct cg_handed *first = cg_reports_after(scene->reports, 0), *second;
    assert_non_null(first);
    assert_int_equal(first->index, 1);
    assert_string_equal(first->alert.group, "meters");
    assert_string_equal(first->alert.member, "meter-1");
    assert_true(cg_slice_is(first->alert.kid, "\x07"));
    assert_true(cg_slice_is(first->alert.path, "/meter"));
    assert_true(cg_slice_is(first->alert.query, "unit=C"));
    assert_true(cg_slice_is(first->alert.payload, "17"));
    second = cg_reports_after(scene->reports, 1);
    assert_string_equal(second->alert.member, "meter-2");
    assert_null(cg_reports_after(scene->reports, 2));
    assert_counts(scene, "castgate_reports_total 2\n");
    cg_reports_leave(scene->reports, &listener.reader);
}

/* R16: all at the end of the window, which the first one opens, in their order. */
static void a_window_gathers(void **state) {
    struct scene *scene = *state;
    struct listener listener;
    start(scene, 10);
    follow(scene, &listener);
    world_advance(&scene->world, 3 * SECOND);
    const uint64_t opened_us = scene->world.now_us;
    for (unsigned i = 0; i < 5; i++) {
        report(scene, "meter-1", "x");
        world_advance(&scene->world, SECOND);
    }
    assert_int_equal(listener.count, 0);
    assert_null(cg_reports_after(scene->reports, 0));
    world_advance(&scene->world, 5 * SECOND);
    assert_int_equal(listener.count, 5);
    assert_int_equal(listener.last_us, opened_us + 10 * SECOND);
    report(scene, "meter-1", "x"); /* opens the next one */
    world_advance(&scene->world, 9 * SECOND);
    assert_int_equal(listener.count, 5);
    world_advance(&scene->world, SECOND);
    assert_int_equal(listener.count, 6);
    cg_reports_leave(scene->reports, &listener.reader);
}

static void a_window_that_is_open_ends_as_other_settings_say(void **state) {
    struct scene *scene = *state;
    struct listener listener;
    start(scene, 60);
    follow(scene, &listener);
    report(scene, "meter-1", "x");
    world_advance(&scene->world, 4 * SECOND);
    scene->world.config->alerts.window = 10;
    cg_reports_look(scene->reports);
    world_advance(&scene->world, 5 * SECOND);
    assert_int_equal(listener.count, 0);
    world_advance(&scene->world, SECOND);
    assert_int_equal(listener.count, 1);
    report(scene, "meter-1", "y");
    scene->world.config->alerts.window = 0;
    cg_reports_look(scene->reports);
    world_run(&scene->world);
    assert_int_equal(listener.count, 2);
    cg_reports_look(scene->reports);
    cg_reports_leave(scene->reports, &listener.reader);
}

/* R17, in both modes: 1000 members within a second. */
static void a_thousand_within_a_second_are_all_handed_on(void **state) {
    struct scene *scene = *state;
    for (uint32_t window = 0; window <= 5; window += 5) {
        struct listener listener;
        start(scene, window);
        follow(scene, &listener);
        for (unsigned i = 0; i < 1000; i++) {
            char member[16];
            snprintf(member, sizeof member, "meter-%u", i);
            report(scene, member, "{\"kwh\":12345.678,\"volt\":[229.8,230.1,230.4]}");
            world_advance(&scene->world, SECOND / 1000);
        }
        world_advance(&scene->world, 10 * SECOND);
        assert_int_equal(listener.count, 1000);
        assert_int_equal(listener.last_index, 1000);
        assert_string_equal(cg_reports_after(scene->reports, 0)->alert.member, "meter-0");
        assert_string_equal(cg_reports_after(scene->reports, 999)->alert.member, "meter-999");
        assert_counts(scene, "castgate_reports_dropped_total 0\n");
        cg_reports_leave(scene->reports, &listener.reader);
        cg_reports_free(scene->reports);
        scene->reports = NULL;
        world_renew(&scene->world);
    }
}

static void a_turn_hands_on_a_slice(void **state) {
    struct scene *scene = *state;
    struct listener listener;
    start(scene, 1);
    follow(scene, &listener);
    for (unsigned i = 0; i < 1000; i++) report(scene, "meter", "x");
    scene->world.now_us += SECOND;
    world_run(&scene->world);
    assert_in_range(listener.count, 1, 100);
    report(scene, "meter", "late"); /* no window of its own: it stands behind those */
    world_advance(&scene->world, SECOND);
    assert_int_equal(listener.count, 1001);
    cg_reports_leave(scene->reports, &listener.reader);
}

static void the_latest_thousand_are_kept(void **state) {
    struct scene *scene = *state;
    start(scene, 0);
    for (unsigned i = 0; i < 2500; i++) report(scene, "meter", "x");
    const struct cg_handed *first = cg_reports_after(scene->reports, 0);
    assert_int_equal(first->index, 1501);
    assert_int_equal(first->alert.number, 1501);
    assert_int_equal(cg_reports_after(scene->reports, 2499)->alert.number, 2500);
    assert_null(cg_reports_after(scene->reports, 2500));
}

static void what_is_kept_has_a_bound_in_bytes_too(void **state) {
    struct scene *scene = *state;
    char *large = malloc(60001);
    assert_non_null(large);
    memset(large, 'a', 60000);
    large[60000] = '\0';
    start(scene, 0);
    for (unsigned i = 0; i < 100; i++) report(scene, "meter", large);
    assert_int_equal(cg_reports_after(scene->reports, 0)->index, 100 - 16);
    free(large);
}

static void the_oldest_of_a_full_window_are_dropped_and_counted(void **state) {
    struct scene *scene = *state;
    struct listener listener;
    char *large = malloc(60001);
    assert_non_null(large);
    memset(large, 'a', 60000);
    large[60000] = '\0';
    start(scene, 60);
    follow(scene, &listener);
    for (unsigned i = 0; i < 20; i++) report(scene, "meter", large);
    world_advance(&scene->world, 61 * SECOND);
    assert_int_equal(listener.count, 17);
    assert_int_equal(listener.last_number, 20);
    assert_counts(scene, "castgate_reports_dropped_total 3\n");
    cg_reports_leave(scene->reports, &listener.reader);
    free(large);
}

static void a_reader_may_leave_while_it_is_told(void **state) {
    struct scene *scene = *state;
    struct listener first, second;
    start(scene, 0);
    follow(scene, &first);
    follow(scene, &second);
    first.leaves = scene->reports;
    report(scene, "meter", "x");
    report(scene, "meter", "y");
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 2);
    cg_reports_leave(scene->reports, &second.reader);
}

static void what_waits_at_the_end_is_freed(void **state) {
    struct scene *scene = *state;
    start(scene, 60);
    report(scene, "meter", "x");
    assert_null(cg_reports_after(scene->reports, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scene_test(each_is_handed_on_at_once),
        scene_test(a_window_gathers),
        scene_test(a_window_that_is_open_ends_as_other_settings_say),
        scene_test(a_thousand_within_a_second_are_all_handed_on),
        scene_test(a_turn_hands_on_a_slice),
        scene_test(the_latest_thousand_are_kept),
        scene_test(what_is_kept_has_a_bound_in_bytes_too),
        scene_test(the_oldest_of_a_full_window_are_dropped_and_counted),
        scene_test(a_reader_may_leave_while_it_is_told),
        scene_test(what_waits_at_the_end_is_freed),
    };
    return cmocka_run_group_tests_name("jobs/reports", tests, NULL, NULL);
}

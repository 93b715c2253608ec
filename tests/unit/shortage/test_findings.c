/* What a discovery finds while each allocation fails once: it is in the result, or it was left out. */
#include "jobs/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_shortage.h"

struct scene {
    struct cg_findings findings;
    struct cg_found_directory *directory; /* NULL: was left out */
};

static void begin(void *ctx) { cg_findings_init(&((struct scene *)ctx)->findings); }

static void note(void *ctx) {
    struct scene *scene = ctx;
    const struct cg_addr told_by = {0};
    cg_findings_note_gap(&scene->findings, cg_slice_str("coap://one"), "is too long");
    scene->directory = cg_findings_note_directory(&scene->findings, CG_FOUND_RD, cg_slice_str("coap://two"), &told_by);
    cg_findings_note_gap(&scene->findings, cg_slice_str("coap://three"), "is cut");
}

static const struct cg_found_gap *gap(const struct scene *scene, const char *why) {
    const struct cg_found_gap *gap = scene->findings.found.gaps;
    while (gap != NULL && strcmp(gap->why, why) != 0) gap = gap->next;
    return gap;
}

static bool is_told(const struct cg_found_gap *gap, const char *what) {
    return gap != NULL && cg_slice_is(gap->what, what) && gap->count == 1;
}

static void look(void *ctx) {
    const struct scene *scene = ctx;
    const struct cg_findings *findings = &scene->findings;
    bool is_all = is_told(gap(scene, "is too long"), "coap://one") && is_told(gap(scene, "is cut"), "coap://three") &&
                  scene->directory != NULL;
    if (!is_all) assert_true(shortage_came() && findings->is_full);
    assert_int_equal(findings->found.left_out, 2);
    assert_int_equal(findings->found.directory_count, scene->directory != NULL);
    cg_findings_fini(&((struct scene *)ctx)->findings);
}

static void what_does_not_fit_is_left_out(void **state) {
    struct scene scene;
    const struct shortage_scenario scenario = {.before = begin, .act = note, .after = look};
    (void)state;
    assert_true(shortage_every(&scenario, &scene, 0) > 3);
    assert_true(shortage_every(&scenario, &scene, 2) > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_does_not_fit_is_left_out)};
    shortage_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

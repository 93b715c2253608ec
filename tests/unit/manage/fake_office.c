/* The hard thing is that a real catalogue answers later: so this one answers in a turn of the loop of its own. */
#include "fake_office.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/container.h"
#include "settings/json_load.h"

int64_t office_now_ms = 1700000000000;

static int64_t clock_ms(void) { return office_now_ms += 1000; }

static struct office *office_of(const struct cg_catalogue *catalogue) {
    return CG_CONTAINER((struct cg_catalogue *)catalogue, struct office, catalogue);
}

static void on_idle(uv_idle_t *idle) {
    struct office *office = idle->data;
    struct cg_proposal *proposal = office->proposal;
    uv_idle_stop(idle);
    proposal->err = office->refuse_with;
    if (proposal->err == CG_E_FORMAT) cg_mistakes_add(&proposal->mistakes, "/mappings/one/group", "is no group");
    if (proposal->err == CG_E_CONFLICT) cg_mistakes_add(&proposal->mistakes, "/mappings/one", "is in the way");
    if (proposal->err == CG_OK) proposal->config = &office->config;
    proposal->done(proposal);
}

static void propose(struct cg_catalogue *catalogue, struct cg_proposal *proposal) {
    struct office *office = office_of(catalogue);
    assert_null(office->proposal);
    office->proposal = proposal;
    office->proposed++;
    uv_idle_start(&office->idle, on_idle);
}

static void adopt(struct cg_catalogue *catalogue, struct cg_proposal *proposal) {
    struct office *office = office_of(catalogue);
    assert_ptr_equal(office->proposal, proposal);
    office->proposal = NULL;
    office->adopted++;
}

static void drop_proposal(struct cg_catalogue *catalogue, struct cg_proposal *proposal) {
    struct office *office = office_of(catalogue);
    assert_ptr_equal(office->proposal, proposal);
    office->proposal = NULL;
    office->dropped++;
}

static struct cg_config *in_use(const struct cg_catalogue *catalogue) { return &office_of(catalogue)->config; }

struct heard {
    struct cg_item *items[64];
    size_t count;
};

static bool hear(void *ctx, struct cg_item *item) {
    struct heard *heard = ctx;
    assert_true(heard->count < 64);
    heard->items[heard->count++] = item;
    return true;
}

void office_open(struct office *office) {
    struct heard heard = {0};
    struct cg_problem problem = {0};
    struct cg_items_file *file = cg_items_file_new(office->folder, NULL);
    assert_int_equal(cg_items_load(file, hear, &heard, &problem), CG_OK);
    assert_int_equal(uv_loop_init(&office->uv), 0);
    uv_idle_init(&office->uv, &office->idle);
    office->idle.data = office;
    office->disk = cg_worker_new();
    cg_worker_open(office->disk, &office->uv);
    office->catalogue =
        (struct cg_catalogue){.propose = propose, .adopt = adopt, .drop = drop_proposal, .in_use = in_use};
    office->config.references = 1;
    const struct cg_manage_options options = {
        .catalogue = &office->catalogue, .file = file, .disk = office->disk, .clock_ms = clock_ms};
    office->manage = cg_manage_new(&options, heard.items, heard.count);
    assert_non_null(office->manage);
}

void office_close(struct office *office) {
    if (office->manage == NULL) return;
    cg_manage_stop(office->manage);
    while (!cg_manage_is_idle(office->manage)) uv_run(&office->uv, UV_RUN_ONCE);
    cg_worker_close(office->disk, NULL, NULL);
    uv_close((uv_handle_t *)&office->idle, NULL);
    uv_run(&office->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&office->uv), 0);
    cg_worker_free(office->disk);
    cg_manage_free(office->manage);
    office->manage = NULL;
    assert_int_equal(office->config.references, 1);
}

int office_setup(void **state) {
    struct office *office = *state = calloc(1, sizeof *office);
    /* No disk to wait for, where there is such a place: what is durable is the store's own tests' business. */
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(office->folder, sizeof office->folder, "%s/castgate-office-XXXXXX", place);
    if (mkdtemp(office->folder) == NULL) return -1;
    office_open(office);
    return 0;
}

int office_teardown(void **state) {
    struct office *office = *state;
    char command[96];
    office_close(office);
    snprintf(command, sizeof command, "rm -rf '%s'", office->folder);
    int status = system(command);
    free(office);
    return status;
}

/* ---- Changes ---- */

static int plan(struct cg_change *change, const struct cg_manage *manage) {
    struct deed *deed = CG_CONTAINER(change, struct deed, change);
    const struct cg_item *now = cg_manage_find(manage, deed->kind, deed->name);
    if (deed->match != 0 && (now == NULL || now->revision != deed->match))
        return cg_problem_set(&change->problem, CG_E_STALE, "it has another revision");
    if (deed->document == NULL) return cg_change_remove(change, deed->kind, deed->name);
    json_t *document = cg_json_load(cg_slice_str(deed->document), 0, NULL);
    if (document == NULL) return cg_problem_no_memory(&change->problem);
    int err = cg_change_put(change, deed->kind, deed->name, document, CG_SLICE_NONE);
    json_decref(document);
    return err;
}

static void done(struct cg_change *change) {
    struct deed *deed = CG_CONTAINER(change, struct deed, change);
    assert_false(deed->is_done);
    deed->is_done = true;
}

void begin(struct office *office, struct deed *deed) {
    struct cg_change *change = &deed->change;
    deed->office = office;
    deed->is_done = false;
    if (change->plan == NULL) change->plan = plan;
    change->done = done;
    change->operation = deed->document == NULL ? "test.delete" : "test.put";
    change->target = "test";
    snprintf(change->author.who, sizeof change->author.who, "somebody");
    snprintf(change->author.from, sizeof change->author.from, "127.0.0.1");
    cg_manage_change(office->manage, change);
}

int await(struct deed *deed) {
    while (!deed->is_done) uv_run(&deed->office->uv, UV_RUN_ONCE);
    return deed->change.err;
}

static int make(struct office *office, struct deed *deed) {
    begin(office, deed);
    int err = await(deed);
    cg_change_fini(&deed->change);
    return err;
}

int put(struct office *office, enum cg_item_kind kind, const char *name, const char *document) {
    struct deed deed = {.kind = kind, .name = name, .document = document};
    return make(office, &deed);
}

int drop(struct office *office, enum cg_item_kind kind, const char *name) {
    struct deed deed = {.kind = kind, .name = name};
    return make(office, &deed);
}

const char *document_of(const struct office *office, enum cg_item_kind kind, const char *name) {
    static char text[512];
    const struct cg_item *item = cg_manage_find(office->manage, kind, name);
    snprintf(text, sizeof text, "%.*s", item == NULL ? 0 : (int)item->document.len,
             item == NULL ? "" : (const char *)item->document.data);
    return text;
}

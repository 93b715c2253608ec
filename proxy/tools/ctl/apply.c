/* apply and diff: the stored items are read, compared with the file (plan.h), and changed in one revision. Each change
 * says which revision of its item was looked at, so that an edit of somebody else in between is refused and not lost.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tools/ctl/commands.h"
#include "tools/ctl/document.h"
#include "tools/ctl/plan.h"
#include "tools/ctl/words.h"

enum { PAGE = 1000 };

/* ---- What is there ---- */

static bool keep_page(json_t *named, const json_t *page) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(page, "items"), i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        const json_t *known = name == NULL ? NULL : json_object_get(named, name);
        const char *source = json_string_value(json_object_get(item, "source"));
        /* Where the file has one of that name, too, the stored one is what can be changed. */
        if (name == NULL || (known != NULL && source != NULL && strcmp(source, "file") == 0)) continue;
        if (json_object_set(named, name, item) != 0) return false;
    }
    return true;
}

/* The path of the page that begins at the cursor; cursors are the gateway's own, and safe in a query. */
static void page_path(struct cg_buf *path, const char *section, const json_t *page) {
    const char *cursor = json_string_value(json_object_get(page, "next"));
    cg_buf_clear(path);
    cg_buf_printf(path, "%s?limit=%d%s%s", section, PAGE,
                  cursor == NULL ? "" : "&cursor=", cursor == NULL ? "" : cursor);
    cg_buf_put_u8(path, '\0');
}

static enum cg_ctl_status read_pages(struct cg_ctl_client *client, const char *section, json_t *named,
                                     struct cg_buf *path) {
    page_path(path, section, NULL);
    for (bool more = true; more;) {
        struct cg_ctl_reply reply;
        const struct cg_ctl_request request = {.method = "GET", .path = (const char *)path->data};
        enum cg_ctl_status status = path->failed ? CG_CTL_FAILED : cg_ctl_ask(client, &request, &reply);
        if (path->failed || status != CG_CTL_DONE) return status;
        more = json_is_string(json_object_get(reply.json, "next"));
        if (!keep_page(named, reply.json)) status = cg_ctl_complain(CG_CTL_FAILED, "no memory");
        page_path(path, section, reply.json);
        cg_ctl_reply_fini(&reply);
        if (status != CG_CTL_DONE) return status;
    }
    return CG_CTL_DONE;
}

static enum cg_ctl_status read_section(struct cg_ctl_client *client, const char *section, json_t *there) {
    struct cg_buf path;
    json_t *named = json_object();
    cg_buf_init(&path, 0);
    enum cg_ctl_status status = read_pages(client, section, named, &path);
    cg_buf_fini(&path);
    if (json_object_set_new(there, section, named) != 0 && status == CG_CTL_DONE)
        status = cg_ctl_complain(CG_CTL_FAILED, "no memory");
    return status;
}

/* Settings and security groups as they are stored, which the export has. */
static enum cg_ctl_status read_rest(struct cg_ctl_client *client, json_t *there) {
    struct cg_ctl_reply reply;
    const struct cg_ctl_request request = {.method = "GET", .path = "export"};
    enum cg_ctl_status status = cg_ctl_ask(client, &request, &reply);
    if (status != CG_CTL_DONE) return status;
    json_t *settings = json_object_get(reply.json, "settings"),
           *groups = json_object_get(reply.json, "security_groups");
    if (settings != NULL) (void)json_object_set(there, "settings", settings);
    if (groups != NULL) (void)json_object_set(there, "security_groups", groups);
    cg_ctl_reply_fini(&reply);
    return CG_CTL_DONE;
}

static enum cg_ctl_status read_there(struct cg_ctl_client *client, const json_t *wanted, json_t *there) {
    enum cg_ctl_status status = CG_CTL_DONE;
    for (size_t i = 0; status == CG_CTL_DONE && cg_ctl_sections[i] != NULL; i++)
        if (json_object_get(wanted, cg_ctl_sections[i]) != NULL)
            status = read_section(client, cg_ctl_sections[i], there);
    bool needs_rest = json_object_get(wanted, "settings") != NULL || json_object_get(wanted, "security_groups") != NULL;
    return status == CG_CTL_DONE && needs_rest ? read_rest(client, there) : status;
}

/* ---- What is to be ---- */

static enum cg_ctl_status make_plan(struct cg_ctl_client *client, const struct cg_ctl_options *options,
                                    const json_t *wanted, struct cg_ctl_plan *plan) {
    char error[CG_CTL_ERROR_MAX];
    json_t *there = json_object();
    enum cg_ctl_status status =
        there == NULL ? cg_ctl_complain(CG_CTL_FAILED, "no memory") : read_there(client, wanted, there);
    if (status == CG_CTL_DONE) {
        enum cg_ctl_rest rest = options->prune ? CG_CTL_REST_GOES : CG_CTL_REST_STAYS;
        int err = cg_ctl_plan_make(plan, wanted, there, rest, error);
        if (err < 0) status = cg_ctl_complain(err == CG_E_NO_MEMORY ? CG_CTL_FAILED : CG_CTL_USAGE, error);
    }
    json_decref(there);
    return status;
}

typedef enum cg_ctl_status use_fn(struct cg_ctl_client *client, const struct cg_ctl_options *options,
                                  const struct cg_ctl_plan *plan);

static enum cg_ctl_status with_plan(const struct cg_ctl_options *options, struct cg_ctl_client *client, use_fn *use) {
    char error[CG_CTL_ERROR_MAX];
    struct cg_ctl_plan plan = {0};
    json_t *wanted = cg_ctl_document_read(options->file, error);
    if (wanted == NULL) return cg_ctl_complain(CG_CTL_USAGE, error);
    enum cg_ctl_status status = make_plan(client, options, wanted, &plan);
    if (status == CG_CTL_DONE) status = use(client, options, &plan);
    cg_ctl_plan_fini(&plan);
    json_decref(wanted);
    return status;
}

static void say_plan(const struct cg_ctl_options *options, const struct cg_ctl_plan *plan) {
    if (options->as_json) {
        cg_ctl_say_json(stdout, plan->difference);
    } else {
        cg_ctl_say_difference(stdout, plan->difference);
    }
}

/* ---- diff ---- */

static enum cg_ctl_status show(struct cg_ctl_client *client, const struct cg_ctl_options *options,
                               const struct cg_ctl_plan *plan) {
    (void)client;
    say_plan(options, plan);
    return json_array_size(plan->difference) == 0 ? CG_CTL_DONE : CG_CTL_DIFFERS;
}

enum cg_ctl_status cg_ctl_diff(const struct cg_ctl_options *options, struct cg_ctl_client *client) {
    return with_plan(options, client, show);
}

/* ---- apply ---- */

static void say_done(const struct cg_ctl_options *options, const struct cg_ctl_plan *plan,
                     const struct cg_ctl_reply *reply) {
    if (options->as_json) {
        cg_ctl_say_json(stdout, reply->json);
        return;
    }
    say_plan(options, plan);
    const json_t *revision = json_object_get(reply->json, "revision");
    if (options->dry_run) {
        (void)puts("nothing was changed: --dry-run");
    } else if (json_is_integer(revision)) {
        (void)printf("revision %" JSON_INTEGER_FORMAT "\n", json_integer_value(revision));
    }
}

/* A refusal is told as one of the file. */
static enum cg_ctl_status post(struct cg_ctl_client *client, const struct cg_ctl_options *options,
                               const struct cg_ctl_plan *plan, struct cg_ctl_reply *reply) {
    char error[CG_CTL_ERROR_MAX];
    char *text = json_dumps(plan->changes, JSON_COMPACT);
    if (text == NULL) return cg_ctl_complain(CG_CTL_FAILED, "no memory");
    const struct cg_ctl_request request = {
        .method = "POST", .path = options->dry_run ? "changes?dry_run=true" : "changes", .body = cg_slice_str(text)};
    int err = cg_ctl_call(client, &request, reply, error);
    free(text);
    if (err == CG_OK) cg_ctl_plan_place_problem(plan, options->file, reply->json);
    enum cg_ctl_status status = err < 0 ? cg_ctl_complain(CG_CTL_FAILED, error) : cg_ctl_judge(reply);
    if (status != CG_CTL_DONE) cg_ctl_reply_fini(reply);
    return status;
}

static enum cg_ctl_status make_so(struct cg_ctl_client *client, const struct cg_ctl_options *options,
                                  const struct cg_ctl_plan *plan) {
    struct cg_ctl_reply reply;
    if (json_array_size(plan->difference) == 0) {
        if (!options->as_json) (void)puts("nothing to change");
        return CG_CTL_DONE;
    }
    enum cg_ctl_status status = post(client, options, plan, &reply);
    if (status != CG_CTL_DONE) return status;
    say_done(options, plan, &reply);
    cg_ctl_reply_fini(&reply);
    return CG_CTL_DONE;
}

enum cg_ctl_status cg_ctl_apply(const struct cg_ctl_options *options, struct cg_ctl_client *client) {
    return with_plan(options, client, make_so);
}

/* Checking by the gateway that runs. The hard thing: its settings may not be those of the file that is read here, so
 * mappings and members go by their names, and what differs is said. */
#include "app/check/bench.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/hurry.h"
#include "base/container.h"
#include "store/beside.h"

enum { MARGIN_S = 30 }; /* beyond what the request takes, with its turn */

struct beside {
    struct cg_check_bench bench;
    const char *folder;
    const char *mapping;                  /* by name */
    const volatile sig_atomic_t *hurried; /* by a signal */
};

static void close_beside(struct cg_check_bench *bench) {
    cg_hurry_end();
    free(CG_CONTAINER(bench, struct beside, bench));
}

static void put_text(struct cg_buf *to, const char *key, struct cg_slice text) {
    cg_buf_printf(to, ",\"%s\":", key);
    cg_buf_put_json(to, text);
}

/* CG_OK, CG_E_NOT_FOUND: nobody is there, or CG_E_STORE with *problem. */
static int ask(const char *folder, const volatile sig_atomic_t *hurried, struct cg_buf *request, uint32_t seconds,
               struct cg_buf *reply, struct cg_problem *problem) {
    const struct cg_control_patience patience = {
        .seconds = seconds, .answer_max = CG_CHECK_RESULT_MAX, .hurried = hurried};
    cg_buf_put_u8(request, '}');
    int err = request->failed ? cg_problem_no_memory(problem)
                              : cg_control_ask_patiently(folder, cg_buf_slice(request), &patience, reply, problem);
    cg_buf_fini(request);
    return err;
}

/* What is said of the mapping and the sockets. */
struct look {
    struct cg_check_facts facts;
    bool known;
    uint32_t digest;
};

static void read_groups(struct cg_check_facts *facts, const json_t *json) {
    const char *why = json_string_value(json_object_get(json, "why"));
    for (size_t i = 0; i < CG_CHECK_SENT_MAX; i++) {
        const char *group = json_string_value(json_array_get(json_object_get(json, "groups"), i));
        if (group == NULL || cg_addr_parse(&facts->groups[i], cg_slice_str(group), CG_COAP_PORT) < 0)
            facts->groups[i] = (struct cg_addr){0};
    }
    snprintf(facts->why, sizeof facts->why, "%s", why == NULL ? "" : why);
}

static void read_look(struct look *look, const struct cg_buf *reply) {
    json_t *json = json_loadb((const char *)reply->data, reply->len, 0, NULL);
    const struct {
        const char *key;
        uint32_t *to;
    } numbers[] = {{"port_v4", &look->facts.port_v4},     {"port_v6", &look->facts.port_v6},
                   {"buffer_v4", &look->facts.buffer_v4}, {"buffer_v6", &look->facts.buffer_v6},
                   {"malformed", &look->facts.malformed}, {"digest", &look->digest}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i].to = (uint32_t)json_integer_value(json_object_get(json, numbers[i].key));
    read_groups(&look->facts, json);
    look->known = json_is_true(json_object_get(json, "known"));
    json_decref(json);
}

static int take_look(const char *folder, const volatile sig_atomic_t *hurried, const char *mapping, struct look *look,
                     struct cg_problem *problem) {
    struct cg_buf request, reply;
    cg_buf_init(&request, 0);
    cg_buf_init(&reply, 0);
    cg_buf_put_str(&request, "{\"command\":\"check-facts\"");
    put_text(&request, "mapping", cg_slice_str(mapping));
    int err = ask(folder, hurried, &request, MARGIN_S, &reply, problem);
    if (err == CG_OK) read_look(look, &reply);
    cg_buf_fini(&reply);
    return err;
}

static bool facts(struct cg_check_bench *bench, struct cg_check_facts *facts, struct cg_problem *problem) {
    struct beside *beside = CG_CONTAINER(bench, struct beside, bench);
    struct look look = {0};
    if (take_look(beside->folder, beside->hurried, beside->mapping, &look, problem) != CG_OK) return false;
    *facts = look.facts;
    return true;
}

static bool is_gone(int err, struct cg_problem *problem) {
    if (err == CG_E_NOT_FOUND) cg_problem_set(problem, CG_E_STORE, "the gateway has ended meanwhile");
    return err != CG_OK;
}

static bool run(struct cg_check_bench *bench, const struct cg_check_order *order, struct cg_check_result *result,
                struct cg_problem *problem) {
    struct beside *beside = CG_CONTAINER(bench, struct beside, bench);
    struct cg_buf request, reply;
    cg_buf_init(&request, 0);
    cg_buf_init(&reply, 0);
    cg_buf_printf(&request, "{\"command\":\"check\",\"core\":%s", order->core ? "true" : "false");
    put_text(&request, "mapping", cg_slice_str(beside->mapping));
    put_text(&request, "rest", order->rest);
    put_text(&request, "query", order->query);
    if (order->only != NULL) put_text(&request, "only", cg_slice_str(order->only->name));
    int err = ask(beside->folder, beside->hurried, &request, 3 * cg_check_listens(order) + MARGIN_S, &reply, problem);
    bool read = !is_gone(err, problem) && cg_check_result_parse(result, cg_buf_slice(&reply));
    if (err == CG_OK && !read) cg_problem_set(problem, CG_E_STORE, "the gateway's answer is not understood");
    cg_buf_fini(&reply);
    bench->interrupted = *beside->hurried;
    return read;
}

static struct cg_check_bench *new_beside(const char *folder, const char *mapping) {
    struct beside *beside = calloc(1, sizeof *beside);
    if (beside == NULL) return NULL;
    beside->bench = (struct cg_check_bench){.facts = facts, .run = run, .close = close_beside};
    beside->folder = folder;
    beside->mapping = mapping;
    beside->hurried = cg_hurry_begin();
    return &beside->bench;
}

enum cg_check_beside cg_check_beside(const char *folder, const struct cg_mapping *mapping,
                                     struct cg_check_bench **bench, bool *differs, struct cg_problem *problem) {
    struct look look = {0};
    int err = take_look(folder, NULL, mapping->name, &look, problem);
    if (err == CG_E_NOT_FOUND) return CG_CHECK_ALONE;
    if (err != CG_OK) return CG_CHECK_REFUSED;
    if (!look.known) {
        cg_problem_set(problem, CG_E_NOT_FOUND,
                       "the gateway that runs on %s knows no mapping \"%s\": reload it (SIGHUP) first", folder,
                       mapping->name);
        return CG_CHECK_REFUSED;
    }
    *differs = look.digest != cg_check_digest(mapping);
    *bench = new_beside(folder, mapping->name);
    if (*bench == NULL) cg_problem_no_memory(problem);
    return *bench == NULL ? CG_CHECK_REFUSED : CG_CHECK_BESIDE;
}

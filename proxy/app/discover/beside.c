/* Looking by the gateway that runs, under its keys and within its budgets. */
#include "app/discover/seeker.h"

#include "fronts/admin/found_document.h"
#include "app/hurry.h"
#include "store/beside.h"

enum {
    MARGIN_S = 60,    /* beyond what the job may take */
    WAITING_JOBS = 2, /* as long as this one, that may have to end before it */
};

static void put_text(struct cg_buf *to, const char *key, const char *text) {
    if (text == NULL) return;
    cg_buf_printf(to, ",\"%s\":", key);
    cg_buf_put_json(to, cg_slice_str(text));
}

static void put_request(struct cg_buf *to, const struct cg_discover_words *words) {
    cg_buf_printf(to, "{\"command\":\"discover\",\"seconds\":%u", words->seconds);
    put_text(to, "where", words->group);
    put_text(to, "filter", words->filter);
    cg_buf_put_u8(to, '}');
}

static int ask(const char *folder, const struct cg_buf *request, uint32_t seconds, struct cg_buf *reply,
               struct cg_problem *problem) {
    const struct cg_control_patience patience = {.seconds = WAITING_JOBS * seconds + MARGIN_S,
                                                 .answer_max = CG_DISCOVER_DOCUMENT_MAX,
                                                 .hurried = cg_hurry_begin()};
    int err = request->failed ? cg_problem_no_memory(problem)
                              : cg_control_ask_patiently(folder, cg_buf_slice(request), &patience, reply, problem);
    cg_hurry_end();
    return err;
}

json_t *cg_discover_beside(const char *folder, const struct cg_discover_words *words, struct cg_problem *problem) {
    struct cg_buf request, reply;
    json_t *document = NULL;
    cg_buf_init(&request, 0);
    cg_buf_init(&reply, 0);
    put_request(&request, words);
    int err = ask(folder, &request, words->seconds, &reply, problem);
    if (err == CG_OK) document = cg_discover_parse(cg_buf_slice(&reply), problem);
    if (err == CG_E_NOT_FOUND) cg_problem_set(problem, err, "no gateway runs on the state folder %s", folder);
    cg_buf_fini(&request);
    cg_buf_fini(&reply);
    return document;
}

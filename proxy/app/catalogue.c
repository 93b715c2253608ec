/* From what is proposed to what is in use. The worker makes the snapshot while the loop goes on; keys that are new are
 * asked about before they may come into use; what may fail is done before somebody makes the change durable. The hard
 * thing: all of it happens or nothing does, and after `done` nothing is left that could fail. */
#include "app/catalogue.h"

#include <stdlib.h>

#include "app/program.h"
#include "base/check.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/log.h"

static struct cg_program *program_of(struct cg_app_catalogue *catalogue) {
    return CG_CONTAINER(catalogue, struct cg_program, catalogue);
}

static struct cg_app_catalogue *own(const struct cg_catalogue *catalogue) {
    return CG_CONTAINER((struct cg_catalogue *)catalogue, struct cg_app_catalogue, catalogue);
}

static struct cg_config *in_use(const struct cg_catalogue *catalogue) {
    return cg_gateway_config(program_of(own(catalogue))->loop.gateway);
}

/* ---- Putting to use ---- */

/* What may fail, while nothing else has happened. The numbers' store may be needed for the first time. */
static int stage(struct cg_program *program, struct cg_problem *problem) {
    struct cg_load *load = &program->catalogue.load;
    struct cg_loop *loop = &program->loop;
    int err = cg_load_stage(load, problem);
    return err < 0 ? err : cg_protectors_open(&program->protectors, &loop->uv, loop->gateway, load->config, problem);
}

static void end(struct cg_app_catalogue *catalogue) {
    cg_config_unref(catalogue->load.old);
    cg_load_fini(&catalogue->load);
    free(catalogue->items);
    catalogue->items = NULL;
    catalogue->proposal = NULL;
}

static void put_to_use(struct cg_program *program) {
    const struct cg_load *load = &program->catalogue.load;
    cg_load_adopt(&program->catalogue.load);
    cg_gateway_adopt(program->loop.gateway, load->config);
    cg_warming_look(program->warming);
    cg_reactions_look(program->reactions);
    cg_reports_look(program->reports);
    cg_names_open(program->names, &program->loop.uv);
    cg_claims_hurry(&program->claims);
    cg_client_claims_hurry(&program->client_claims);
}

/* While the program closes there is nothing any more that could use it: the next start does. */
static void adopt(struct cg_catalogue *catalogue, struct cg_proposal *proposal) {
    struct cg_program *program = program_of(own(catalogue));
    CG_CHECK(program->catalogue.proposal == proposal && program->catalogue.load.is_staged);
    if (!program->is_closing) put_to_use(program);
    end(&program->catalogue);
}

static void drop(struct cg_catalogue *catalogue, struct cg_proposal *proposal) {
    CG_CHECK(own(catalogue)->proposal == proposal);
    end(own(catalogue));
}

/* ---- What comes of a proposal ---- */

static void answer(struct cg_program *program) {
    struct cg_app_catalogue *catalogue = &program->catalogue;
    struct cg_proposal *proposal = catalogue->proposal;
    struct cg_load *load = &catalogue->load;
    if (load->err == CG_OK) load->err = stage(program, &load->problem);
    proposal->err = load->err;
    proposal->problem = load->problem;
    proposal->mistakes = load->mistakes;
    cg_mistakes_init(&load->mistakes);
    if (load->stored.edit_count > 0) {
        proposal->warnings = load->warnings;
        cg_mistakes_init(&load->warnings);
    }
    proposal->config = load->err == CG_OK ? load->config : NULL;
    proposal->done(proposal);
}

/* ---- Keys that are new: none may come into use that could not send ---- */

static void refuse_key(struct cg_load *load, const char *group, const char *reason) {
    const struct cg_security_keys *keys;
    struct cg_problem problem = {0};
    HASH_FIND_STR(load->config->security_groups_by_name, group, keys);
    cg_problem_set(&problem, CG_E_KEY_REFUSED,
                   "security group %s: %s. If it has never sent: castgate-keys claim %s --state %s", group, reason,
                   keys == NULL || keys->file == NULL ? "FILE" : keys->file, load->config->state);
    if (load->err == CG_OK) {
        load->problem = problem;
    } else {
        cg_log(CG_LOG_ERROR, "reload", "%s", problem.detail); /* one is told of as the error */
    }
    load->err = CG_E_KEY_REFUSED;
}

static void judge(struct cg_app_catalogue *catalogue) {
    const struct cg_store_job *look = &catalogue->look;
    for (size_t i = 0; look->err == CG_OK && i < look->count; i++) {
        const char *reason = cg_claims_reason(cg_claims_judge(&look->looks[i]));
        if (reason != NULL) refuse_key(&catalogue->load, look->looks[i].ctx, reason);
    }
}

static void on_looked(struct cg_store_job *job) {
    struct cg_program *program = job->ctx;
    struct cg_app_catalogue *catalogue = &program->catalogue;
    if (catalogue->looking) {
        catalogue->looking = false;
        judge(catalogue);
        answer(program);
    }
    free(job->looks);
    job->looks = NULL;
}

/* A store that cannot be asked refuses nobody: /readyz and the log tell of it. */
static bool may_ask(struct cg_program *program) {
    struct cg_problem unused;
    const struct cg_config *config = cg_gateway_config(program->loop.gateway);
    return cg_protectors_store(&program->protectors, &program->loop.uv, config) != NULL &&
           cg_protectors_status(&program->protectors, &unused) == CG_OK;
}

/* True: on_looked comes. */
static bool ask_about_keys(struct cg_program *program) {
    struct cg_app_catalogue *catalogue = &program->catalogue;
    struct cg_store_look *looks;
    size_t count;
    if (cg_protectors_new_keys(catalogue->load.protectors_plan, &looks, &count) < 0) {
        catalogue->load.err = cg_problem_no_memory(&catalogue->load.problem);
        return false;
    }
    if (count == 0 || !may_ask(program)) {
        free(looks);
        return false;
    }
    catalogue->looking = true;
    catalogue->look = (struct cg_store_job){
        .operation = CG_STORE_LOOK, .looks = looks, .count = count, .done = on_looked, .ctx = program};
    struct cg_store *store = cg_store_thread_store(program->protectors.store);
    store->ops->submit(store, &catalogue->look);
    return true;
}

/* ---- Making the snapshot: on the worker ---- */

/* Of the edits alone where that can be, else of the file and every item. */
static void make(struct cg_work *work) {
    struct cg_app_catalogue *catalogue = CG_CONTAINER(work, struct cg_app_catalogue, work);
    if (catalogue->load.derived != NULL && cg_load_derive(&catalogue->load)) return;
    struct cg_stored *stored = &catalogue->load.stored;
    catalogue->items = cg_manage_items(program_of(catalogue)->manage, &stored->count);
    stored->items = catalogue->items;
    if (catalogue->items == NULL) stored->count = 0;
    cg_load_run(&catalogue->load);
    if (catalogue->items == NULL) catalogue->load.err = cg_problem_no_memory(&catalogue->load.problem);
}

static void on_made(struct cg_work *work) {
    struct cg_app_catalogue *catalogue = CG_CONTAINER(work, struct cg_app_catalogue, work);
    struct cg_program *program = program_of(catalogue);
    struct cg_load *load = &catalogue->load;
    if (load->err == CG_OK && program->is_closing)
        load->err = cg_problem_set(&load->problem, CG_E_STOPPING, "the gateway is stopping");
    if (load->err != CG_OK || !ask_about_keys(program)) answer(program);
}

static void propose(struct cg_catalogue *base, struct cg_proposal *proposal) {
    struct cg_app_catalogue *catalogue = own(base);
    struct cg_program *program = program_of(catalogue);
    CG_CHECK(catalogue->proposal == NULL);
    catalogue->proposal = proposal;
    catalogue->load = (struct cg_load){
        .file = program->file,
        .stored = {.edits = proposal->edits,
                   .edit_count = proposal->edit_count,
                   .unseal = cg_app_groups_unseal,
                   .ctx = &program->groups},
        .names = program->names,
        .protectors = &program->protectors,
        .worker = program->worker,
        .old = cg_config_ref(cg_gateway_config(program->loop.gateway)),
    };
    cg_load_consider_deriving(&catalogue->load);
    catalogue->work = (struct cg_work){.run = make, .done = on_made};
    cg_worker_do(program->worker, &catalogue->work);
}

void cg_app_catalogue_forget(struct cg_program *program) {
    struct cg_app_catalogue *catalogue = &program->catalogue;
    if (!catalogue->looking) return;
    catalogue->looking = false;
    catalogue->load.err = cg_problem_set(&catalogue->load.problem, CG_E_STOPPING, "the gateway is stopping");
    answer(program);
}

void cg_app_catalogue_init(struct cg_program *program) {
    program->catalogue.catalogue =
        (struct cg_catalogue){.propose = propose, .adopt = adopt, .drop = drop, .in_use = in_use};
}
